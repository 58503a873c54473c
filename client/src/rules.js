// What the server accepts, as an element knows it. A server that tells nothing, since its
// router has no road to …/rules, judges by itself.

import { UploadError, rules } from "./postern.js";

/** @import { Options, Rules } from "../postern.d.ts" */

const FRESH = 10_000; // ms in which nothing is asked again without a reason

/** What is being asked, of all elements. @type {Map<string, Promise<Rules>>} */
const asking = new Map();

export class ServerRules {
  #options;
  #onChange;
  /** @type {Rules | null} */
  #rules = null;
  #current = false;
  #turn = 0;
  #asked = -Infinity; // when

  /** @param {() => Options} options @param {() => void} onChange is called when there are other rules */
  constructor(options, onChange) {
    this.#options = options;
    this.#onChange = onChange;
  }

  /** What people are told. */
  get told() {
    return this.#rules;
  }

  /** What files are judged by: not the rules of somebody else. */
  get current() {
    return this.#current ? this.#rules : null;
  }

  /** What was known is no longer so. @param {{ elsewhere?: boolean }} why elsewhere is for another server */
  outdate({ elsewhere = false } = {}) {
    this.#current = false;
    this.#asked = -Infinity;
    this.#turn++;
    if (elsewhere) this.#rules = null;
  }

  /** Asks, unless that was a moment ago. */
  async ask() {
    const now = performance.now();
    if (now - this.#asked < FRESH) return;
    this.#asked = now;
    const turn = ++this.#turn;
    let answer = null;
    try {
      answer = whole(await askTogether(this.#options()));
    } catch (error) {
      if (!(error instanceof UploadError && error.status)) return; // nobody has said anything
    }
    if (turn !== this.#turn) return;
    const changed = JSON.stringify(answer) !== JSON.stringify(this.#rules);
    this.#rules = answer;
    this.#current = true;
    if (changed) this.#onChange();
  }
}

/**
 * Elements that ask for the same ask once. The browser keeps the answer, and asks whether
 * it is still the same.
 *
 * @param {Options} options
 */
async function askTogether({ endpoint, headers: given, credentials }) {
  const headers = [...new Headers(typeof given === "function" ? await given() : given)];
  const key = JSON.stringify([endpoint, headers, credentials]);
  const asked = asking.get(key) ?? rules({ endpoint, headers, credentials }).finally(() => asking.delete(key));
  asking.set(key, asked);
  return asked;
}

/** What a server has said, if it is rules: some answer everything with a page. @param {Rules} said */
function whole({ types, min_size, max_size, origin }) {
  const sizes = [min_size, max_size].every((size) => Number.isSafeInteger(size));
  if (!sizes || !Array.isArray(types) || !types.every((type) => typeof type === "string")) return null;
  return { types, min_size, max_size, origin };
}
