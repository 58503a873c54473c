import assert from "node:assert/strict";
import { test } from "node:test";
import { AT_ONCE, Line, Pace, Pool } from "../src/pool.js";

const KIB = 1024;
const MIB = 2 ** 20;

/** A pool whose work is ended by the test: started has what was begun, in that order. @param {number} lanes */
function poolOf(lanes = 5) {
  const pool = new Pool({ lanes });
  /** @type {string[]} */
  const started = [];
  /** @type {Map<string, () => void>} */
  const ends = new Map();
  const stop = new AbortController();
  /** @param {string} name @param {number} bytes */
  const add = (name, bytes, { since = 0, signal = stop.signal } = {}) =>
    pool.use({ bytes, since, signal }, () => {
      started.push(name);
      return /** @type {Promise<void>} */ (new Promise((end) => ends.set(name, end)));
    });
  /** @param {string} name */
  const end = async (name) => {
    await settled();
    ends.get(name)?.();
    await settled();
  };
  return { pool, started, add, end };
}

const settled = () => new Promise((done) => setImmediate(done));

/** @param {string} prefix @param {number} count */
const names = (prefix, count) => Array.from({ length: count }, (_, i) => `${prefix}${i}`);

test("few more are on their way than there are connections", async () => {
  const { started, add, end, pool } = poolOf();
  for (const name of names("s", 20)) add(name, KIB);
  await settled();
  assert.equal(started.length, AT_ONCE);
  await end("s3");
  assert.deepEqual(started.slice(AT_ONCE), ["s8"]);
  assert.equal(pool.idle, false);
});

test("small ones go in between, and large ones go on", async () => {
  const { started, add, end } = poolOf();
  for (const name of names("L", 8)) add(name, 8 * MIB);
  for (const name of names("s", 50)) add(name, 50 * KIB, { since: 1000 });
  await settled();
  assert.deepEqual(started, ["L0", "L1", "L2", "L3", "L4", "s0", "s1", "s2"], "one connection is left for small ones");
  await end("L0");
  await end("L1");
  await end("L2");
  await end("L3");
  assert.deepEqual(started.slice(8), ["s3", "s4", "s5", "s6"], "small ones are first");
  await end("L4");
  assert.equal(started.at(-1), "L5", "one large one goes on among any number of small ones");
  await end("s0");
  assert.equal(started.at(-1), "s7");
});

test("of the same kind the older and the smaller ones are first, and none waits for ever", async () => {
  const { started, add, end } = poolOf();
  for (const name of names("s", AT_ONCE)) add(name, KIB);
  add("old and larger", 900 * KIB, { since: 100 });
  add("young", KIB, { since: 500 });
  add("younger", KIB, { since: 600 });
  add("much younger", KIB, { since: 5000 });
  for (const name of names("s", 4)) await end(name);
  assert.deepEqual(started.slice(AT_ONCE), ["young", "younger", "old and larger", "much younger"]);
});

test("parts of an older file go before those of a younger one", async () => {
  const { started, add, end } = poolOf(2);
  for (const name of names("b", 2)) add(name, 8 * MIB, { since: 9 });
  add("young", 8 * MIB, { since: 9 });
  add("old", 8 * MIB, { since: 1 });
  await end("b0");
  assert.deepEqual(started, ["b0", "b1", "old"]);
});

test("who gives up leaves the queue, and the place that was kept", async () => {
  const { started, add, end, pool } = poolOf();
  for (const name of names("s", AT_ONCE)) add(name, KIB);
  const stop = new AbortController();
  const large = add("L", 8 * MIB, { signal: stop.signal });
  stop.abort("enough");
  await assert.rejects(large, (reason) => reason === "enough");
  await assert.rejects(add("late", KIB, { signal: stop.signal }), (reason) => reason === "enough");
  for (const name of names("s", AT_ONCE)) await end(name);
  assert.equal(started.length, AT_ONCE);
  assert.equal(pool.idle, true);
});

test("a line that turns out to be fast takes another one at once", async () => {
  const line = new Line();
  const { signal } = new AbortController();
  let started = 0;
  for (let i = 0; i < 6; i++) {
    line.pool.use({ bytes: 8 * MIB, since: 0, signal }, () => {
      started++;
      return new Promise(() => {});
    });
  }
  await settled();
  assert.equal(started, 4);
  const { now } = performance;
  try {
    for (let ms = 0; ms < 3000; ms += 100) {
      performance.now = () => ms;
      line.moved(100 * 12_500, 8 * MIB);
    }
  } finally {
    performance.now = now;
  }
  await settled();
  assert.equal(started, 5);
});

test("what fails gives its connection back", async () => {
  const pool = new Pool({ lanes: 4 });
  const { signal } = new AbortController();
  await assert.rejects(pool.use({ bytes: 1, since: 0, signal }, () => Promise.reject(new Error("broken"))), /broken/);
  assert.equal(pool.idle, true);
});

/** Moves bytes for some seconds. @param {Pace} pace @param {number} from @param {number} seconds @param {number} rate in bytes in a ms */
function move(pace, from, seconds, rate, piece = 8 * MIB) {
  for (let ms = from; ms <= from + seconds * 1000; ms += 100) pace.moved(rate * 100, ms, piece);
  return from + seconds * 1000 + 100;
}

test("a slow line has fewer large ones on their way, and a fast one more", () => {
  const slow = new Pace();
  assert.equal(slow.lanes, 4, "while nothing is known");
  move(slow, 0, 5, 100);
  assert.equal(slow.lanes, 1);
  const fast = new Pace();
  move(fast, 0, 5, 12_500);
  assert.equal(fast.lanes, 5);
  assert.ok(fast.rate > 12_000 && fast.rate < 14_000, String(fast.rate));
});

test("where fewer are slower together, they become more again and stay so", () => {
  const pace = new Pace();
  const now = move(pace, 0, 5, 400);
  assert.equal(pace.lanes, 1);
  const later = move(pace, now, 10, 200);
  assert.equal(pace.lanes, 4);
  move(pace, later, 10, 100);
  assert.equal(pace.lanes, 4);
});

test("a pause is not taken for a slow line", () => {
  const pace = new Pace();
  const now = move(pace, 0, 5, 12_500);
  const { rate } = pace;
  pace.moved(1000, now + 60_000, 8 * MIB);
  assert.equal(pace.rate, rate);
});

test("small files say nothing of how many large ones a line is worth", () => {
  const pace = new Pace();
  move(pace, 0, 5, 100, 50 * KIB);
  assert.equal(pace.lanes, 4);
});

test("the time before the first bytes says nothing", () => {
  const pace = new Pace();
  pace.moved(65_536, 4000, 8 * MIB);
  assert.equal(pace.rate, 0);
  assert.equal(pace.lanes, 4);
  move(pace, 4100, 2, 12_500);
  assert.ok(pace.rate > 12_000 && pace.rate < 14_000, String(pace.rate));
});
