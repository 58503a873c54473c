// Sends a file in parts: several at once, each to a URL that the server has signed
// for it.

import { sha256 } from "./checksum.js";
import { passes, retry } from "./retry.js";
import { bytesDone } from "./saved.js";
import { startSumming } from "./summing.js";
import { send } from "./transport.js";
import { UploadError } from "./upload-error.js";

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
 * Sends the parts that have not arrived, and adds them to saved.done and to the sum. One
 * that fails for good stops the others.
 *
 * @param {object} given
 * @param {Saved} given.saved
 * @param {number} given.size of the file, in bytes
 * @param {Blob | null} given.file which is not needed where all parts are there
 * @param {number} given.parallel how many parts are on their way at once
 * @param {AbortSignal} given.signal
 * @param {SignParts} given.signParts
 * @param {(loaded: number) => void} given.onLoaded is told of all bytes of the file that have left
 * @param {() => void} given.onPart is told that a part has arrived
 */
export async function sendParts({ saved, file, size, parallel, signal: given, signParts, onLoaded, onPart }) {
  given.throwIfAborted();
  const { part_size, parts, done, sums, crc64 } = saved;
  const todo = Array.from({ length: parts }, (_, i) => i + 1).filter((n) => !done.includes(n));
  // Their answers were lost, or they were sent when nothing was summed.
  const unsummed = file && crc64 ? done.filter((n) => !crc64.parts.includes(n)) : [];
  const stop = new AbortController();
  const signal = AbortSignal.any([given, stop.signal]);
  const urls = new PartURLs((numbers, checksums) => signParts(numbers, checksums, signal), () => todo.slice(0, 4 * parallel));
  const sumUp = crc64 && todo.length + unsummed.length > 0 ? startSumming(crc64, signal) : async () => {};
  const underWay = new Map(); // bytes of each part
  const report = () => onLoaded([...underWay.values()].reduce((sum, loaded) => sum + loaded, bytesDone(saved, size)));

  /** @param {number} n */
  const partOf = (n) => {
    if (!file) throw new UploadError("file_needed");
    const end = Math.min(n * part_size, size);
    return { number: n, bytes: file.slice((n - 1) * part_size, end), after: size - end };
  };

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
    const part = partOf(n);
    const summed = sumUp(part); // while it is sent
    const sum = sums ? await sha256(part.bytes) : "";
    await retry(() => attempt(n, part.bytes, sum), {
      signal,
      // 403 is the answer to a URL that has expired.
      again: (error) => error.from === "bucket" && (passes(error) || error.status === 403),
    });
    done.push(n);
    onPart();
    report();
    await summed;
  };

  const work = async () => {
    for (let n; (n = todo.shift()); ) await sendPart(n);
    for (let n; (n = unsummed.shift()); ) await sumUp(partOf(n)).then(onPart);
  };
  report();
  await Promise.all(Array.from({ length: parallel }, () => work().catch((error) => stop.abort(error))));
  signal.throwIfAborted();
  stop.abort(); // ends the summing
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
