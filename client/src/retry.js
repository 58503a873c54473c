// Whether a request is tried again, and how long that waits.

import { UploadError } from "./upload-error.js";

const TRIES = 6; // while the browser is online
const OFFLINE = 60_000; // ms; some browsers are wrong about being offline

/**
 * Whether an error may pass by itself.
 *
 * @param {Pick<UploadError, "code" | "from" | "status" | "retryAfter">} error
 */
export function passes({ code, from, status, retryAfter }) {
  if (code === "network" || code === "RequestTimeout" || retryAfter > 0) return true;
  return [408, 425, 429].includes(status) || status > 500 || (status === 500 && from === "bucket");
}

/**
 * Exponential backoff with full jitter, but no sooner than the server says, and up to
 * half as long again, so that not all pages come back at once; in ms.
 *
 * @param {number} failures
 * @param {number} retryAfter in seconds
 * @param {number} random from 0 to 1
 */
export const delay = (failures, retryAfter, random) =>
  Math.max(random * 500 * 2 ** failures, retryAfter * 1000 * (1 + random / 2));

/**
 * What is known when something is tried again.
 *
 * @typedef {object} Retrying
 * @property {UploadError} error
 * @property {number} at when, in ms since 1970
 * @property {number} tries so far
 */

/**
 * Tries until it works or trying cannot help. Being offline costs no try.
 *
 * @template T
 * @param {(tries: number) => Promise<T>} attempt is told which try it is, from 1
 * @param {object} options
 * @param {AbortSignal} options.signal
 * @param {(error: UploadError, failures: number) => boolean | Promise<boolean>} options.again is
 *   told how many tries have failed while the browser was online; it may throw what is to be
 *   thrown instead
 * @param {(retrying: Retrying | null) => void} [options.onRetry] is told null in the end
 */
export async function retry(attempt, { signal, again, onRetry }) {
  let failures = 0;
  for (let tries = 1; ; tries++) {
    try {
      const result = await attempt(tries);
      if (tries > 1) onRetry?.(null);
      return result;
    } catch (error) {
      signal.throwIfAborted();
      if (!(error instanceof UploadError)) throw error;
      if (online()) failures++;
      if (!(await again(error, failures)) || failures === TRIES) throw error;
      const wait = delay(failures, error.retryAfter, Math.random());
      onRetry?.({ error, at: Date.now() + wait, tries });
      await sleep(wait, signal);
    }
  }
}

const online = () => globalThis.navigator?.onLine !== false;

/**
 * Waits, and while the browser is offline for the end of that. Rejects as soon as
 * the signal aborts.
 *
 * @param {number} ms
 * @param {AbortSignal} signal
 * @returns {Promise<void>}
 */
export function sleep(ms, signal) {
  return new Promise((resolve, reject) => {
    const end = new AbortController();
    const timer = setTimeout(done, online() ? ms : OFFLINE);
    function done() {
      clearTimeout(timer);
      end.abort();
      if (signal.aborted) reject(signal.reason);
      else resolve();
    }
    signal.addEventListener("abort", done, { signal: end.signal });
    if (!online()) addEventListener("online", done, { signal: end.signal });
    if (signal.aborted) done();
  });
}
