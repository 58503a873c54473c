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

/**
 * @param {Place} place
 * @param {Pick<File, "name" | "size" | "lastModified" | "type">} file
 */
export function slotName({ endpoint, scope }, { name, size, lastModified, type }) {
  return PREFIX + JSON.stringify([endpoint, scope, name, size, lastModified, type]);
}

/** One file's place in a Storage, or in none. */
export class Slot {
  #store;
  #name;

  /** @param {Storage | null} store @param {string} name */
  constructor(store, name) {
    this.#store = store;
    this.#name = name;
  }

  /**
   * What was saved, unless it has expired.
   *
   * @param {number} now in ms since 1970
   * @returns {Saved | null}
   */
  load(now) {
    const saved = JSON.parse(this.#store?.getItem(this.#name) ?? "null");
    return saved?.expires > now ? saved : null;
  }

  /** @param {Saved} saved */
  save(saved) {
    try {
      this.#store?.setItem(this.#name, JSON.stringify(saved));
    } catch {} // full, or forbidden: the upload then ends with the page
  }

  clear() {
    this.#store?.removeItem(this.#name);
  }
}

/**
 * The uploads of a place that can go on, the oldest first. Whatever has expired is
 * removed, of every place.
 *
 * @param {Storage | null} store
 * @param {Place} place
 * @param {number} now in ms since 1970
 * @returns {API.Unfinished[]}
 */
export function unfinishedIn(store, place, now) {
  if (!store) return [];
  const names = Array.from({ length: store.length }, (_, i) => store.key(i) ?? "");
  const found = [];
  for (const slot of names) {
    if (!slot.startsWith(`${PREFIX}[`)) continue;
    const [endpoint, scope, name, size, lastModified, type] = JSON.parse(slot.slice(PREFIX.length));
    /** @type {Saved} */
    const saved = JSON.parse(store.getItem(slot) ?? "{}");
    const { expires, sent } = saved;
    if (expires < now) store.removeItem(slot);
    else if (endpoint === place.endpoint && scope === place.scope) {
      found.push({ name, size, type, lastModified, expires, loaded: sent ? size : bytesDone(saved, size) });
    }
  }
  return found.sort((a, b) => a.expires - b.expires);
}

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

/** The browser's own Storage, or null where it is forbidden. */
export function local() {
  try {
    return globalThis.localStorage;
  } catch {
    return null;
  }
}
