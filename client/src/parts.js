// Sends a file in parts: several at once, each to a URL that the server has signed
// for it.

import { sha256 } from "./checksum.js";
import { passes, retry } from "./retry.js";
import { bytesDone } from "./saved.js";
import { send } from "./transport.js";

/** @import { Saved } from "./saved.js" */

/**
 * Signs URLs of parts, by the server: those without checksums several at once.
 *
 * @callback SignParts
 * @param {number[]} numbers
 * @param {Record<number, string>} checksums
 * @param {AbortSignal} signal
 * @returns {Promise<{ urls: Record<number, string>, expires_in: number }>}
 */

/**
 * Sends the parts that have not arrived, and adds them to saved.done. One that fails
 * for good stops the others.
 *
 * @param {object} given
 * @param {Saved} given.saved
 * @param {number} given.size of the file, in bytes
 * @param {() => Blob} given.bytes the file, which is not needed where all parts are there
 * @param {number} given.parallel how many parts are on their way at once
 * @param {AbortSignal} given.signal
 * @param {SignParts} given.signParts
 * @param {(loaded: number) => void} given.onLoaded is told of all bytes of the file that have left
 * @param {() => void} given.onPart is told that a part has arrived
 */
export async function sendParts({ saved, size, bytes, parallel, signal: given, signParts, onLoaded, onPart }) {
  const { part_size, parts, done, sums } = saved;
  const todo = Array.from({ length: parts }, (_, i) => i + 1).filter((n) => !done.includes(n));
  const stop = new AbortController();
  const signal = AbortSignal.any([given, stop.signal]);
  const urls = new PartURLs((numbers, checksums) => signParts(numbers, checksums, signal), () => todo.slice(0, 4 * parallel));
  const underWay = new Map(); // bytes of each part
  const report = () => onLoaded([...underWay.values()].reduce((sum, loaded) => sum + loaded, bytesDone(saved, size)));

  /** @param {number} n @param {Blob} part @param {string} sum */
  const attempt = async (n, part, sum) => {
    const url = await urls.get(n, sum);
    try {
      await send({
        method: "PUT",
        url,
        headers: sum ? { "x-amz-checksum-sha256": sum } : {},
        body: part,
        file: part,
        signal,
        onLoaded: (loaded) => {
          underWay.set(n, loaded);
          report();
        },
      });
    } catch (error) {
      urls.drop(n); // it may have expired
      throw error;
    } finally {
      underWay.delete(n);
    }
  };

  /** @param {number} n */
  const sendPart = async (n) => {
    const part = bytes().slice((n - 1) * part_size, n * part_size);
    const sum = sums ? await sha256(part) : "";
    await retry(() => attempt(n, part, sum), {
      signal,
      // 403 is the answer to a URL that has expired.
      again: (error) => error.from === "bucket" && (passes(error) || error.status === 403),
    });
    done.push(n);
    onPart();
    report();
  };

  const work = async () => {
    for (let n; (n = todo.shift()); ) await sendPart(n);
  };
  report();
  await Promise.all(Array.from({ length: parallel }, () => work().catch((error) => stop.abort(error))));
  signal.throwIfAborted();
}

/** The URLs of parts: asked for ahead, and again when they expire. */
class PartURLs {
  /** @type {Map<number, { url: string, until: number }>} */
  #urls = new Map();
  /** @type {Promise<void> | null} */
  #asking = null;
  #sign;
  #soon;

  /**
   * @param {(numbers: number[], checksums: Record<number, string>) => ReturnType<SignParts>} sign
   * @param {() => number[]} soon the parts whose turn is next
   */
  constructor(sign, soon) {
    this.#sign = sign;
    this.#soon = soon;
  }

  /** @param {number} n */
  drop(n) {
    this.#urls.delete(n);
  }

  /**
   * @param {number} n
   * @param {string} sum the part's SHA-256 that is to be signed, or ""
   */
  async get(n, sum) {
    for (;;) {
      const known = this.#urls.get(n);
      if (known && known.until > Date.now()) return known.url;
      if (sum) await this.#ask([n], { [n]: sum });
      else await (this.#asking ??= this.#ask([n, ...this.#soon()], {}).finally(() => (this.#asking = null)));
    }
  }

  /** @param {number[]} numbers @param {Record<number, string>} checksums */
  async #ask(numbers, checksums) {
    const asked = Date.now();
    const { urls, expires_in } = await this.#sign(numbers, checksums);
    const until = asked + expires_in * 900; // a little early
    for (const n of numbers) this.#urls.set(n, { url: urls[n], until });
  }
}
