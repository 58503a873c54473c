// Sends a file in parts: several at once, each to a URL that the server has signed
// for it.

import { sha256 } from "./checksum.js";
import { clocked, now, valid } from "./clock.js";
import { lineTo } from "./pool.js";
import { bytesDone } from "./saved.js";
import { startSumming } from "./summing.js";
import { send } from "./transport.js";
import { PAUSE, UploadError } from "./upload-error.js";

/** @import { Signed } from "./clock.js" */
/** @import { Saved } from "./saved.js" */

/**
 * Signs URLs of parts, by the server: those without checksums several at once.
 *
 * @callback SignParts
 * @param {number[]} numbers
 * @param {Record<number, string>} checksums
 * @param {AbortSignal} signal
 * @returns {Promise<SignedParts>}
 */

/** @typedef {{ urls: Record<number, string> } & Signed} SignedParts */

/**
 * A part that is on its way.
 *
 * @typedef {{ loaded: number, size: number, cut: AbortController }} Leaving
 */

const MOST = 5; // parts of a file at once: the page's pool may have room for fewer
const GRACE = 15_000; // ms in which what is nearly there may still arrive
const STALL = 3000; // ms without progress, after which it is not waited for
const NEARLY = 0.75; // of a part
const MOMENT = 1000; // ms

/**
 * Sends the parts that have not arrived, and adds them to saved.done and to the sum. One
 * that fails for good stops the others. A pause waits for those that are nearly there.
 *
 * @param {object} given
 * @param {Saved} given.saved
 * @param {number} given.size of the file, in bytes
 * @param {number} given.since when its upload began, in ms
 * @param {Blob | null} given.file which is not needed where all parts are there
 * @param {number} [given.parallel] how many parts are on their way at once
 * @param {AbortSignal} given.signal
 * @param {SignedParts} [given.first] those that need not be asked for
 * @param {SignParts} given.signParts
 * @param {(attempt: () => Promise<void>, also: (error: UploadError) => boolean) => Promise<void>} given.retried
 *   tries something at the bucket again where that may help, or also says so
 * @param {(url: string) => void} given.onURL is told where parts go
 * @param {(loaded: number) => void} given.onLoaded is told of all bytes of the file that have left
 * @param {() => void} given.onPart is told that a part has arrived
 */
export async function sendParts({ saved, file, size, since, parallel = MOST, signal: given, first, signParts, retried, onURL, onLoaded, onPart }) {
  given.throwIfAborted();
  const { part_size, parts, done, sums, crc64 } = saved;
  const todo = Array.from({ length: parts }, (_, i) => i + 1).filter((n) => !done.includes(n));
  // Their answers were lost, or they were sent when nothing was summed.
  const unsummed = file && crc64 ? done.filter((n) => !crc64.parts.includes(n)) : [];
  const stop = new AbortController();
  const signal = AbortSignal.any([given, stop.signal]); // of what has not left
  const urls = new PartURLs((numbers, checksums) => signParts(numbers, checksums, signal), () => todo.slice(0, 4 * parallel), parallel);
  if (first) urls.add(first);
  const sumUp = crc64 && todo.length + unsummed.length > 0 ? startSumming(crc64, stop.signal) : async () => {};
  /** @type {Map<number, Leaving>} */
  const underWay = new Map();
  let moved = now().running; // when the last bytes left, in ms
  let rate = 0; // bytes in a ms
  const report = () => onLoaded([...underWay.values()].reduce((sum, { loaded }) => sum + loaded, bytesDone(saved, size)));

  /** @param {number} n */
  const partOf = (n) => {
    if (!file) throw new UploadError("file_needed");
    const end = Math.min(n * part_size, size);
    return { number: n, bytes: file.slice((n - 1) * part_size, end), after: size - end };
  };

  /** @param {number} n @param {Blob} part @param {SignedURL} signed @param {string} sum */
  const put = async (n, part, { url }, sum) => {
    const leaving = { loaded: 0, size: part.size, cut: new AbortController() };
    underWay.set(n, leaving);
    try {
      await send({
        method: "PUT",
        url,
        headers: sum ? { "x-amz-checksum-sha256": sum } : {},
        body: part,
        file: part,
        signal: AbortSignal.any([stop.signal, leaving.cut.signal]),
        onLoaded: (loaded) => {
          leaving.loaded = loaded;
          moved = now().running;
          rate = lineTo(url).pace.rate;
          report();
        },
      });
    } finally {
      underWay.delete(n);
    }
  };

  /** @param {number} n */
  const sendPart = async (n) => {
    const part = partOf(n);
    /** @type {Promise<void> | undefined} */
    let summed;
    let sum = "";
    let refused = false;
    let outdated = false;
    const attempt = async () => {
      const { url } = await urls.get(n, sum || !sums ? sum : (sum = await sha256(part.bytes)));
      onURL(url);
      await lineTo(url).pool.use({ bytes: part.bytes.size, since, signal }, async () => {
        const signed = await urls.get(n, sum); // it may have expired meanwhile
        summed ??= sumUp(part); // while it is sent
        await put(n, part.bytes, signed, sum).catch((error) => {
          urls.drop(n);
          outdated = !valid(signed);
          throw clocked(error, signed);
        });
      });
    };
    // 403 is the answer to a URL that has expired, or whose key was taken back.
    await retried(attempt, ({ status, code }) => {
      if (status !== 403 || code === "SignatureDoesNotMatch" || code === "clock_wrong") return false;
      const first = !refused;
      refused = true;
      return first || outdated;
    });
    done.push(n);
    onPart();
    report();
    await summed;
  };

  const work = async () => {
    for (let n; !given.aborted && (n = todo.shift()); ) await sendPart(n);
    for (let n; !given.aborted && (n = unsummed.shift()); ) await sumUp(partOf(n)).then(onPart);
  };

  const onStop = () => {
    if (given.reason !== PAUSE) return stop.abort(given.reason);
    const kept = nearlyThere([...underWay.values()], { most: part_size, rate });
    for (const leaving of underWay.values()) if (!kept.includes(leaving)) leaving.cut.abort(PAUSE);
    moved = now().running;
    const until = moved + GRACE;
    const watch = setInterval(() => {
      const { running } = now();
      if (running > until || running - moved > STALL) stop.abort(PAUSE);
    }, STALL / 6);
    stop.signal.addEventListener("abort", () => clearInterval(watch));
  };
  given.addEventListener("abort", onStop);
  try {
    report();
    // After a pause those that are nearly there go on.
    const end = (/** @type {unknown} */ error) => given.aborted || stop.abort(error);
    await Promise.all(Array.from({ length: parallel }, () => work().catch(end)));
    given.throwIfAborted();
    stop.signal.throwIfAborted();
  } finally {
    given.removeEventListener("abort", onStop);
    stop.abort(); // ends the summing
  }
}

/**
 * The parts that a pause waits for: those that are nearly there, and of the others the
 * furthest, so that no more is lost than one part has.
 *
 * @template {Pick<Leaving, "loaded" | "size">} Part
 * @param {Part[]} parts
 * @param {{ most: number, rate: number }} line most is what may be lost, in bytes; rate is the
 *   line's, in bytes in a ms
 */
export function nearlyThere(parts, { most, rate }) {
  const each = rate / parts.length;
  const furthest = [...parts].sort((a, b) => b.loaded / b.size - a.loaded / a.size);
  let lost = parts.reduce((sum, { loaded }) => sum + loaded, 0);
  return furthest.filter(({ loaded, size }) => {
    const near = loaded >= NEARLY * size || size - loaded < MOMENT * each;
    if (!near && lost <= most) return false;
    lost -= loaded;
    return true;
  });
}

/** @typedef {{ url: string } & Signed} SignedURL */

/** The URLs of parts: asked for ahead, and again when they expire. */
class PartURLs {
  /** @type {Map<number, SignedURL>} */
  #urls = new Map();
  /** @type {Promise<void> | null} */
  #asking = null;
  #sign;
  #soon;
  #few;

  /**
   * @param {(numbers: number[], checksums: Record<number, string>) => ReturnType<SignParts>} sign
   * @param {() => number[]} soon the parts whose turn is next
   * @param {number} few of them must be known, or more are asked for
   */
  constructor(sign, soon, few) {
    this.#sign = sign;
    this.#soon = soon;
    this.#few = few;
  }

  /** @param {SignedParts} signed */
  add({ urls, asked, life }) {
    for (const [n, url] of Object.entries(urls)) this.#urls.set(Number(n), { url, asked, life });
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
      if (known && valid(known)) {
        // While parts are on their way; whoever needs one that fails asks again.
        if (!sum && this.#unknown(this.#soon().slice(0, this.#few)).length) this.#ask([]).catch(() => {});
        return known;
      }
      if (sum) this.add(await this.#sign([n], { [n]: sum }));
      else await this.#ask([n]);
    }
  }

  /** Asks for some, and those whose turn is next. @param {number[]} numbers */
  #ask(numbers) {
    this.#asking ??= this.#sign(this.#unknown([...numbers, ...this.#soon()]), {})
      .then((signed) => this.add(signed))
      .finally(() => (this.#asking = null));
    return this.#asking;
  }

  /** @param {number[]} numbers */
  #unknown(numbers) {
    return numbers.filter((n) => {
      const known = this.#urls.get(n);
      return !known || !valid(known);
    });
  }
}
