import assert from "node:assert/strict";
import { createServer } from "node:http";
import { test } from "node:test";
import { discard, unfinished, upload } from "../src/postern.js";
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
  new Slot(store, { ...place, ...where }, { ...file, ...what }).save({ ...saved, ...how });

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
  const slot = new Slot(new Memory(), place, file);
  assert.equal(slot.load(NOW), null);
  slot.save(saved);
  assert.deepEqual(slot.load(NOW), saved);
  assert.equal(slot.load(saved.expires), null);
  slot.clear();
  assert.equal(slot.load(NOW), null);
});

test("without a store nothing is kept", () => {
  const slot = new Slot(null, place, file);
  slot.save(saved);
  slot.clear();
  assert.equal(slot.load(NOW), null);
  assert.deepEqual(unfinishedIn(null, place, NOW), []);
});

test("what a store has no room for is kept as long as the page", () => {
  const full = new Memory();
  const { setItem } = full;
  full.setItem = () => { throw new DOMException("full", "QuotaExceededError"); };
  for (const store of [full, /** @type {Memory} */ ({})]) {
    const slot = new Slot(store, place, file);
    slot.save(saved);
    assert.deepEqual(new Slot(store, place, file).load(NOW), saved);
    assert.deepEqual(unfinishedIn(store, place, NOW).map(({ name }) => name), [file.name]);
    slot.clear();
    assert.equal(slot.load(NOW), null);
    assert.deepEqual(unfinishedIn(store, place, NOW), []);
  }
  const slot = new Slot(full, place, file);
  slot.save(saved);
  full.setItem = setItem;
  slot.save({ ...saved, done: [1] });
  assert.equal(full.length, 1);
  assert.deepEqual(slot.load(NOW)?.done, [1]);
  slot.save({ ...saved, expires: NOW - 1 });
  assert.deepEqual(unfinishedIn(full, place, NOW), []);
  assert.equal(full.length, 0);
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

// What may be found where something of ours should be.
/** @type {[string, string][]} */
const NOT_WHOLE = [
  ["nothing", ""],
  ["no JSON", "{"],
  ["null", "null"],
  ["a number", "5"],
  ["a text", '"saved"'],
  ["an array", "[1, 2]"],
  ["an empty object", "{}"],
  ["arrays without end", "[".repeat(2 ** 20)],
  ["another program's", JSON.stringify({ id: 7, expires: NOW + 1000 })],
  .../** @type {[string, object][]} */ ([
    ["no ticket", { ticket: undefined }],
    ["a ticket that is no text", { ticket: 1 }],
    ["no key", { key: null }],
    ["an odd mode", { mode: "tus" }],
    ["no mode", { mode: undefined }],
    ["completion that is neither true nor false", { complete: "yes" }],
    ["a form that was not sent", { mode: "post" }],
    ["a form with a sum of parts", { mode: "post", sent: true, crc64: 5 }],
    ["no time at which it expires", { expires: NaN }],
    ["a time in words", { expires: "tomorrow" }],
    ["parts that are a text", { parts: "3" }],
    ["more parts than the file has", { parts: 4 }],
    ["more parts than S3 has", { part_size: 1, parts: file.size }],
    ["parts without a length", { part_size: 0 }],
    ["no parts", { part_size: undefined, parts: undefined }],
    ["done that is no array", { done: { 1: true } }],
    ["done without numbers", { done: ["1"] }],
    ["a part that the file has not", { done: [4] }],
    ["a part that is done twice", { done: [1, 1] }],
    ["a sum that is a text", { crc64: "1" }],
    ["a sum that is no number", { crc64: { parts: [1], sum: "0x1g" } }],
    ["a sum that is too large", { crc64: { parts: [1], sum: "1".repeat(1000) } }],
    ["a sum of what is no array", { crc64: { parts: 1, sum: "1" } }],
  ]).map(([what, how]) => /** @type {[string, string]} */ ([what, JSON.stringify({ ...saved, ...how })])),
];

for (const [what, value] of NOT_WHOLE) {
  test(`what is not whole is ignored and left alone: ${what}`, () => {
    const store = new Memory();
    store.setItem(slotName(place, file), value);
    keep(store, {}, { name: "whole.pdf" }, {});
    assert.deepEqual(unfinishedIn(store, place, NOW).map(({ name }) => name), ["whole.pdf"]);
    assert.equal(store.getItem(slotName(place, file)), value);
    assert.equal(new Slot(store, place, file).load(NOW), null);
  });
}

for (const name of [
  "postern[", "postern[]", "postern[1, 2", "postern{}", "postern[null]", "postern[[],[],[],[],[],[]]",
  'postern["/uploads","","a.pdf",12582912,1]', 'postern["/uploads","","a.pdf","12582912",1,""]',
  'postern["/uploads","","a.pdf",null,1,""]', 'postern["/uploads","","a.pdf",12582912,1,"",""]',
]) {
  test(`an entry whose name only looks like ours is left alone: ${name}`, () => {
    const store = new Memory();
    store.setItem(name, JSON.stringify({ ...saved, expires: NOW - 1 }));
    assert.deepEqual(unfinishedIn(store, place, NOW), []);
    assert.equal(store.length, 1);
  });
}

test("a form that was sent can be completed", () => {
  const store = new Memory();
  keep(store, {}, {}, { mode: "post", sent: true, done: [], part_size: undefined, parts: undefined });
  assert.equal(unfinishedIn(store, place, NOW)[0]?.loaded, file.size);
});

test("what has expired is removed, whole or not", () => {
  const store = new Memory();
  store.setItem(slotName(place, file), JSON.stringify({ expires: NOW - 1 }));
  assert.deepEqual(unfinishedIn(store, place, NOW), []);
  assert.equal(store.length, 0);
});

test("what was saved before there were sums goes on", () => {
  const { sums, ...older } = saved;
  const store = new Memory();
  store.setItem(slotName(place, file), JSON.stringify(older));
  assert.deepEqual(new Slot(store, place, file).load(NOW), older);
  assert.equal(unfinishedIn(store, place, NOW).length, 1);
});

// Runs a test at a server that refuses to sign, and tells which actions it was asked for.
/** @param {(endpoint: string) => Promise<void>} run */
async function atServer(run) {
  /** @type {string[]} */
  const asked = [];
  const server = createServer((request, response) => {
    asked.push(String(request.url));
    response.writeHead(401, { "Content-Type": "application/problem+json", Connection: "close" });
    response.end(JSON.stringify({ code: "unauthenticated" }));
  });
  await new Promise((listening) => server.listen(0, "127.0.0.1", () => listening(null)));
  const address = /** @type {import("node:net").AddressInfo} */ (server.address());
  try {
    await run(`http://127.0.0.1:${address.port}`);
  } finally {
    server.close();
  }
  return asked;
}

const blob = () => new File(["content"], "a.txt", { type: "text/plain", lastModified: 1 });

for (const [what, value] of [["foreign", "[1, 2]"], ["broken", "{"], ["odd", JSON.stringify({ ...saved, done: 1, expires: 1e15 })]]) {
  test(`upload begins anew, and discard asks nobody, where what was kept is ${what}`, async () => {
    const store = new Memory();
    const asked = await atServer(async (endpoint) => {
      const options = { endpoint, store };
      store.setItem(slotName({ endpoint, scope: "" }, blob()), value);
      await assert.rejects(upload(blob(), options), { code: "unauthenticated" });
      await discard(blob(), options);
    });
    assert.deepEqual(asked, ["/sign"]);
    assert.equal(store.length, 0, "it had the name of the file that was given up");
  });
}

// Safari's private mode, a quota that is used up, and cookies that are blocked.
for (const member of /** @type {const} */ (["getItem", "setItem", "removeItem", "key", "length"])) {
  test(`a store whose ${member} throws ends nothing`, async () => {
    const store = new Memory();
    keep(store, {}, {}, { expires: NOW - 1 });
    Object.defineProperty(store, member, {
      get() {
        throw new DOMException("forbidden", "SecurityError");
      },
    });
    const slot = new Slot(store, place, file);
    slot.save(saved);
    slot.load(NOW);
    slot.clear();
    assert.deepEqual(await unfinished({ ...place, store }), []);
    await atServer(async (endpoint) => {
      await assert.rejects(upload(blob(), { endpoint, store }), { code: "unauthenticated" });
      await discard(blob(), { endpoint, store });
    });
  });
}

test("the last part has what remains", () => {
  assert.deepEqual([1, 2, 3].map((n) => partLength(saved, n, file.size)), [5 * MIB, 5 * MIB, 2 * MIB]);
  assert.equal(bytesDone(saved, file.size), 7 * MIB);
  assert.equal(bytesDone({ ...saved, done: [] }, file.size), 0);
});

test("the sum is whole once every part is in it, in any order, before and after a reload", () => {
  const slot = new Slot(new Memory(), place, file);
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
