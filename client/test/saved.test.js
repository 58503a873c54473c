import assert from "node:assert/strict";
import { test } from "node:test";
import { Slot, addShare, bytesDone, partLength, slotName, unfinishedIn, unsummed, wholeSum } from "../src/saved.js";

/** @import { Saved } from "../src/saved.js" */

const MIB = 2 ** 20;
const NOW = 1_700_000_000_000;
const place = { endpoint: "/uploads", scope: "" };
const file = { name: "a.pdf", size: 12 * MIB, lastModified: 1, type: "application/pdf" };

/** @type {Saved} */
const saved = {
  mode: "multipart", ticket: "t", key: "k", location: "l", complete: true,
  part_size: 5 * MIB, parts: 3, sums: false, done: [1, 3], expires: NOW + 1000,
};

/** A Storage that lives as long as the test. @implements {Storage} */
class Memory {
  /** @type {Map<string, string>} */
  #values = new Map();
  get length() { return this.#values.size; }
  /** @param {number} index */
  key(index) { return [...this.#values.keys()][index] ?? null; }
  /** @param {string} key */
  getItem(key) { return this.#values.get(key) ?? null; }
  /** @param {string} key @param {string} value */
  setItem(key, value) { this.#values.set(key, value); }
  /** @param {string} key */
  removeItem(key) { this.#values.delete(key); }
  clear() { this.#values.clear(); }
}

/** @param {Memory} store @param {Partial<typeof place>} where @param {Partial<typeof file>} what @param {Partial<Saved>} how */
const keep = (store, where, what, how) =>
  new Slot(store, slotName({ ...place, ...where }, { ...file, ...what })).save({ ...saved, ...how });

test("a slot is one file's, of one endpoint and scope", () => {
  const names = [
    slotName(place, file),
    slotName({ ...place, endpoint: "/other" }, file),
    slotName({ ...place, scope: "ada" }, file),
    slotName(place, { ...file, name: "b.pdf" }),
    slotName(place, { ...file, size: 1 }),
    slotName(place, { ...file, lastModified: 2 }),
    slotName(place, { ...file, type: "" }),
  ];
  assert.equal(new Set(names).size, names.length);
});

test("what was saved is there until it expires or is cleared", () => {
  const slot = new Slot(new Memory(), slotName(place, file));
  assert.equal(slot.load(NOW), null);
  slot.save(saved);
  assert.deepEqual(slot.load(NOW), saved);
  assert.equal(slot.load(saved.expires), null);
  slot.clear();
  assert.equal(slot.load(NOW), null);
});

test("a store that is full ends nothing", () => {
  const store = new Memory();
  store.setItem = () => {
    throw new DOMException("full", "QuotaExceededError");
  };
  new Slot(store, slotName(place, file)).save(saved);
  assert.equal(store.length, 0);
});

test("without a store nothing is kept", () => {
  const slot = new Slot(null, slotName(place, file));
  slot.save(saved);
  slot.clear();
  assert.equal(slot.load(NOW), null);
  assert.deepEqual(unfinishedIn(null, place, NOW), []);
});

test("what can go on is listed, the oldest first, with what has arrived", () => {
  const store = new Memory();
  store.setItem("posternal", "a page's own");
  store.setItem("theme", "dark");
  keep(store, {}, { name: "new.pdf" }, { expires: NOW + 2000 });
  keep(store, {}, { name: "old.pdf" }, { expires: NOW + 1000 });
  keep(store, {}, { name: "sent.pdf" }, { expires: NOW + 3000, sent: true, done: [] });
  keep(store, { endpoint: "/other" }, {}, {});
  keep(store, { scope: "ada" }, {}, {});
  assert.deepEqual(
    unfinishedIn(store, place, NOW).map(({ name, loaded }) => [name, loaded]),
    [["old.pdf", 7 * MIB], ["new.pdf", 7 * MIB], ["sent.pdf", 12 * MIB]],
  );
  assert.deepEqual(unfinishedIn(store, { ...place, scope: "ada" }, NOW), [
    { ...file, loaded: 7 * MIB, expires: saved.expires },
  ]);
});

test("what has expired is removed, whosever it was", () => {
  const store = new Memory();
  keep(store, {}, {}, { expires: NOW - 1 });
  keep(store, { scope: "ada" }, {}, { expires: NOW - 1 });
  assert.deepEqual(unfinishedIn(store, place, NOW), []);
  assert.equal(store.length, 0);
});

test("the last part has what remains", () => {
  assert.deepEqual([1, 2, 3].map((n) => partLength(saved, n, file.size)), [5 * MIB, 5 * MIB, 2 * MIB]);
  assert.equal(bytesDone(saved, file.size), 7 * MIB);
  assert.equal(bytesDone({ ...saved, done: [] }, file.size), 0);
});

test("the sum is whole once every part is in it, in any order, before and after a reload", () => {
  const slot = new Slot(new Memory(), slotName(place, file));
  const begun = { ...saved, crc64: unsummed() };
  addShare(begun.crc64, 3, 0xffff_ffff_ffff_ffffn);
  addShare(begun.crc64, 1, 0x0000_0000_ffff_ffffn);
  assert.equal(wholeSum(begun), null);
  slot.save(begun);
  const resumed = slot.load(NOW);
  assert.ok(resumed?.crc64);
  addShare(resumed.crc64, 2, 0x1000_0000_0000_0001n);
  assert.equal(wholeSum(resumed), 0xefff_ffff_0000_0001n);
});

test("a part that is sent again is in the sum once", () => {
  const crc64 = unsummed();
  for (const number of [1, 2, 1]) addShare(crc64, number, 5n);
  assert.deepEqual(crc64, { parts: [1, 2], sum: "0" });
});

test("where no sum is wanted, and where there are no parts, there is none", () => {
  assert.equal(wholeSum(saved), null);
  assert.equal(wholeSum({}), null);
});
