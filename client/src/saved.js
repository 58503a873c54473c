// What is kept of uploads that can go on, in a Storage: one slot for each file,
// whose name says which file it is and whose.

/** @import * as API from "../postern.d.ts" */

/**
 * @typedef {object} Saved
 * @property {"post" | "put" | "multipart"} mode
 * @property {string} ticket
 * @property {string} key
 * @property {string} location
 * @property {boolean} complete whether the server completes it
 * @property {number} part_size in bytes
 * @property {number} parts how many there are
 * @property {boolean} sums whether each part is sealed to its SHA-256
 * @property {number[]} done the numbers of the parts that have arrived
 * @property {Summed} [crc64] not where none is wanted
 * @property {boolean} [sent] whether nothing is left to send
 * @property {string} [path] in which folder the file was
 * @property {number} expires in ms since 1970
 */

/**
 * The CRC64NVME of the file, as far as its parts were read: the XOR of their shares.
 *
 * @typedef {object} Summed
 * @property {number[]} parts the numbers of those that are in it
 * @property {string} sum in decimal digits
 */

/** @typedef {{ endpoint: string, scope: string }} Place */

const PREFIX = "postern";
const TYPES = "string,string,string,number,number,string"; // of what follows in a name
const DIGITS = /^\d{1,20}$/; // of 64 bits
const MAX_PARTS = 10_000; // of S3

/**
 * @param {Place} place
 * @param {Pick<File, "name" | "size" | "lastModified" | "type">} file
 */
export function slotName({ endpoint, scope }, { name, size, lastModified, type }) {
  return PREFIX + JSON.stringify([endpoint, scope, name, size, lastModified, type]);
}

/**
 * What a slot's name says of its file, or null where it is not one: a page has its own
 * entries.
 *
 * @param {string} slot
 */
function parseName(slot) {
  if (!slot.startsWith(`${PREFIX}[`)) return null;
  const parsed = parse(slot.slice(PREFIX.length));
  if (!Array.isArray(parsed) || parsed.map((value) => typeof value).join() !== TYPES) return null;
  const [, , name, size, lastModified, type] = parsed;
  return { name, size, lastModified, type };
}

/**
 * Whether a value is whole: the page, or another version of this module, may have
 * written something else there.
 *
 * @param {any} value
 * @param {number} size of the file, in bytes
 * @returns {value is Saved}
 */
function isSaved(value, size) {
  const { ticket, key, location, complete, mode, expires, sent, crc64 } = value ?? {};
  if (![ticket, key, location].every((text) => typeof text === "string")) return false;
  if (typeof complete !== "boolean" || !Number.isFinite(expires)) return false;
  return mode === "multipart" ? hasParts(value, size) : ["post", "put"].includes(mode) && sent === true && !crc64;
}

/** @param {Record<string, any>} value @param {number} size */
function hasParts({ part_size, parts, done, crc64 }, size) {
  if (!(part_size > 0 && parts > 0 && parts <= MAX_PARTS) || parts !== Math.ceil(size / part_size)) return false;
  return areNumbers(done, parts) && (crc64 === undefined || (areNumbers(crc64?.parts, parts) && DIGITS.test(crc64.sum)));
}

/** Whether a value has numbers of parts, each once. @param {unknown} value @param {number} parts how many there are */
const areNumbers = (value, parts) =>
  Array.isArray(value) && new Set(value).size === value.length && value.every((n) => Number.isInteger(n) && n > 0 && n <= parts);

/**
 * What a Storage answers, or null where it throws: one may be forbidden, or full.
 *
 * @template T
 * @param {() => T} use
 */
function tried(use) {
  try {
    return use();
  } catch {
    return null;
  }
}

/** @param {string | null | undefined} text @returns {any} what it says in JSON, or null */
export const parse = (text) => tried(() => JSON.parse(text ?? "null"));

/** What a Storage has no room for, or is forbidden: it ends with the page. @type {Map<string, string>} */
const unkept = new Map();

/** @param {Storage | null} store @param {string} slot */
const get = (store, slot) => parse(unkept.get(slot) ?? tried(() => store?.getItem(slot)));

/** @param {Storage | null} store @param {string} slot */
function remove(store, slot) {
  unkept.delete(slot);
  tried(() => store?.removeItem(slot));
}

/** One file's place in a Storage, or in none. */
export class Slot {
  #store;
  #name;
  #size;

  /** @param {Storage | null} store @param {Place} place @param {Pick<File, "name" | "size" | "lastModified" | "type">} file */
  constructor(store, place, file) {
    this.#store = store;
    this.#name = slotName(place, file);
    this.#size = file.size;
  }

  /**
   * What was saved, unless it has expired or is not whole.
   *
   * @param {number} now in ms since 1970
   * @returns {Saved | null}
   */
  load(now) {
    const saved = get(this.#store, this.#name);
    return isSaved(saved, this.#size) && saved.expires > now ? saved : null;
  }

  /** @param {Saved} saved */
  save(saved) {
    const text = JSON.stringify(saved);
    unkept.delete(this.#name);
    if (tried(() => this.#store?.setItem(this.#name, text)) === null) unkept.set(this.#name, text);
  }

  clear() {
    remove(this.#store, this.#name);
  }
}

/**
 * The uploads of a place that can go on, the oldest first. Whatever has expired is
 * removed, of every place; what is not whole is left alone until then.
 *
 * @param {Storage | null} store
 * @param {Place} place
 * @param {number} now in ms since 1970
 * @param {Set<string | undefined>} busy the slots of those that are going on
 * @returns {API.Unfinished[]}
 */
export function unfinishedIn(store, place, now, busy = new Set()) {
  const found = [];
  for (const slot of new Set([...unkept.keys(), ...namesIn(store)])) {
    const file = parseName(slot);
    if (!file || busy.has(slot)) continue;
    const saved = get(store, slot);
    if (expired(saved, now)) remove(store, slot);
    else if (slot === slotName(place, file) && isSaved(saved, file.size)) {
      found.push({ ...file, expires: saved.expires, loaded: saved.sent ? file.size : bytesDone(saved, file.size) });
    }
  }
  return found.sort((a, b) => a.expires - b.expires);
}

/** @param {any} saved @param {number} now */
const expired = (saved, now) => typeof saved?.expires === "number" && saved.expires < now;

/** @param {Storage | null} store @returns {string[]} */
const namesIn = (store) => tried(() => store && Array.from({ length: store.length }, (_, i) => store.key(i) ?? "")) ?? [];

/**
 * How long a part is: the last one has what remains.
 *
 * @param {Pick<Saved, "part_size">} saved
 * @param {number} number from 1
 * @param {number} size of the file, in bytes
 */
export const partLength = ({ part_size }, number, size) => Math.min(part_size, size - (number - 1) * part_size);

/**
 * How many bytes the parts have that have arrived.
 *
 * @param {Pick<Saved, "part_size" | "done">} saved
 * @param {number} size of the file, in bytes
 */
export const bytesDone = (saved, size) => saved.done.reduce((sum, n) => sum + partLength(saved, n, size), 0);

/** The sum of nothing. @returns {Summed} */
export const unsummed = () => ({ parts: [], sum: "0" });

/**
 * Adds a part to the sum. One that was sent again, after its answer was lost, is in it
 * already.
 *
 * @param {Summed} summed
 * @param {number} number
 * @param {bigint} share
 */
export function addShare(summed, number, share) {
  if (summed.parts.includes(number)) return;
  summed.parts.push(number);
  summed.sum = String(BigInt(summed.sum) ^ share);
}

/**
 * The sum of the file, or null where not every part is in it, or it did not go up in parts.
 *
 * @param {Partial<Pick<Saved, "crc64" | "parts">>} saved
 */
export const wholeSum = ({ crc64, parts }) => (crc64 && crc64.parts.length === parts ? BigInt(crc64.sum) : null);

/** A Storage that takes nothing. */
const FORBIDDEN = /** @type {Storage} */ ({});

/** The browser's own Storage. */
export const local = () => tried(() => globalThis.localStorage) ?? FORBIDDEN;
