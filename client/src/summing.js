// Has parts summed elsewhere: in a worker, so that the page does not wait.

import { addShare } from "./saved.js";

/** @import { Summed } from "./saved.js" */

/**
 * A part that is to be summed, and how many bytes of its file follow it.
 *
 * @typedef {{ number: number, bytes: Blob, after: number }} Part
 */

/**
 * The share of a part in the sum, or null where it has none. It does not fail.
 *
 * @typedef {(part: Part) => Promise<bigint | null>} ShareOf
 */

const PATIENCE = 60_000; // ms until nobody waits any more for what sums

/** @type {ShareOf} */
const noShare = async () => null;

/**
 * Begins to add parts to a sum, until the signal aborts. What cannot be summed is left
 * out, and then there is no sum of the whole.
 *
 * @param {Summed} summed
 * @param {AbortSignal} signal
 * @returns {(part: Part) => Promise<void>}
 */
export function startSumming(summed, signal) {
  const over = new Promise((resolve) => {
    signal.addEventListener("abort", resolve);
    setTimeout(resolve, PATIENCE);
  });
  const started = Promise.race([inWorker(signal).catch(inPage), over.then(() => noShare)]).catch(() => noShare);
  return async (part) => {
    const shareOf = await started;
    const share = await shareOf(part);
    if (share !== null) addShare(summed, part.number, share);
  };
}

// It fails where the page's policy or its origin forbids it.
/** @param {AbortSignal} signal @returns {Promise<ShareOf>} */
function inWorker(signal) {
  /** @type {Map<number, (share: bigint | null) => void>} */
  const waiting = new Map();
  return new Promise((resolve, reject) => {
    const worker = new Worker(address(), { type: "module", name: "postern-crc64" });
    const end = () => {
      worker.terminate();
      for (const give of waiting.values()) give(null);
    };
    /** @type {ShareOf} */
    const ask = (part) =>
      new Promise((give) => {
        waiting.set(part.number, give);
        worker.postMessage(part);
        if (signal.aborted) end();
      });
    worker.onmessage = ({ data }) => {
      if (!data) return resolve(ask);
      waiting.get(data.number)?.(data.share);
      waiting.delete(data.number);
    };
    worker.onerror = reject;
    signal.addEventListener("abort", end);
  });
}

/**
 * What the module needs of Trusted Types (W3C), which the compiler does not know.
 *
 * @typedef {object} TrustedTypes
 * @property {(name: string, rules: { createScriptURL: () => string }) => { createScriptURL: (given: string) => string }} createPolicy
 */

/** For all uploads, as a page may allow the policy to be made only once. @type {string | undefined} */
let known;

/** The address of the worker, as one that the page's policy trusts. */
function address() {
  const { href, origin } = new URL("./crc64.js?no-inline", import.meta.url); // as a file, says Vite, which a page's policy may allow
  // A worker is of the page's own origin. Such a one may import what is of another.
  const make = () =>
    origin === self.origin ? href : URL.createObjectURL(new Blob([`import ${JSON.stringify(href)}`], { type: "text/javascript" }));
  const { trustedTypes } = /** @type {{ trustedTypes?: TrustedTypes }} */ (globalThis);
  return (known ??= trustedTypes?.createPolicy("postern", { createScriptURL: make }).createScriptURL("") ?? make());
}

// In chunks, between which the page goes on.
/** @returns {Promise<ShareOf>} */
async function inPage() {
  const { shareOf } = await import("./crc64.js");
  return ({ bytes, after }) => shareOf(bytes, after).catch(() => null);
}
