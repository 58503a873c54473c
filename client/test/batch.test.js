import assert from "node:assert/strict";
import { test } from "node:test";
import { Batch } from "../src/batch.js";
import { Results } from "../src/results.js";

/** @import { Plan } from "../src/batch.js" */

const MOST = 100;
const stop = new AbortController();

/** @param {number} count @param {number} from */
const bodies = (count, from = 0) => Array.from({ length: count }, (_, i) => ({ n: from + i }));

/**
 * A batch whose requests are answered by the test, with a clock that the test moves.
 *
 * @param {import("node:test").TestContext} t
 * @param {Partial<Plan>} plan
 */
function batchOf(t, plan = {}) {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  let clock = 0;
  /** @type {{ bodies: any[], signal: AbortSignal, settle: (index: number, answer: any, failed?: boolean) => void, end: () => Promise<void>, fail: (error: any) => Promise<void> }[]} */
  const asked = [];
  const batch = new Batch({
    gap: (underWay) => (underWay ? 1000 : 0),
    send: (bodies, settle, signal) =>
      new Promise((resolve, reject) => {
        asked.push({
          bodies, signal,
          settle: (index, answer, failed = false) => settle(index, answer, failed),
          end: async () => (resolve(), pass()),
          fail: async (error) => (reject(error), pass()),
        });
      }),
    ...plan,
  }, () => clock);
  const pass = async (ms = 0) => {
    clock += ms;
    for (let i = 0; i < 5; i++) await Promise.resolve();
    t.mock.timers.tick(ms);
    for (let i = 0; i < 5; i++) await Promise.resolve();
    t.mock.timers.tick(1);
    for (let i = 0; i < 5; i++) await Promise.resolve();
  };
  const add = (/** @type {object} */ body, signal = stop.signal) => batch.add(body, signal);
  return { batch, asked, add, pass };
}

test("what is asked for in one task is one request, and what comes meanwhile the next", async (t) => {
  const { asked, add, pass, batch } = batchOf(t);
  const first = bodies(3).map((body) => add(body));
  await pass();
  assert.deepEqual(asked[0].bodies, bodies(3));
  const second = bodies(5, 3).map((body) => add(body));
  await pass(100);
  assert.equal(asked.length, 1, "it waits for the answer");
  for (const n of [2, 0, 1]) asked[0].settle(n, `answer ${n}`);
  assert.deepEqual(await Promise.all(first), ["answer 0", "answer 1", "answer 2"]);
  await asked[0].end();
  await pass();
  assert.deepEqual(asked[1].bodies, bodies(5, 3));
  bodies(5).forEach((_, n) => asked[1].settle(n, n));
  assert.equal((await Promise.all(second)).length, 5);
  await asked[1].end();
  assert.equal(batch.empty, true);
});

test("a request that hangs does not keep others waiting for ever", async (t) => {
  const { asked, add, pass } = batchOf(t);
  add({ n: 0 });
  await pass();
  add({ n: 1 });
  await pass(999);
  assert.equal(asked.length, 1);
  await pass(5);
  assert.equal(asked.length, 2);
});

test("no request has more than a hundred, nor more than there is room for", async (t) => {
  let room = 150;
  const { asked, add, pass, batch } = batchOf(t, { room: () => room });
  for (const body of bodies(250)) add(body);
  await pass();
  await pass();
  assert.deepEqual(asked.map(({ bodies }) => bodies.length), [MOST, MOST]);
  room = 0;
  for (const request of asked) await request.end();
  await pass(5000);
  assert.equal(asked.length, 2);
  room = 20;
  batch.look();
  await pass();
  assert.equal(asked[2].bodies.length, 20);
});

test("what gathers is asked for at once when nothing is left to wait for", async (t) => {
  let idle = false;
  const { asked, add, pass } = batchOf(t, { gap: () => 250, hurry: () => idle });
  add({ n: 0 });
  await pass();
  assert.equal(asked.length, 1, "the first does not wait");
  await asked[0].end();
  add({ n: 1 });
  add({ n: 2 });
  await pass(100);
  assert.equal(asked.length, 1);
  idle = true;
  add({ n: 3 });
  await pass();
  assert.deepEqual(asked[1].bodies, bodies(3, 1));
});

test("enough of them do not wait for more", async (t) => {
  const { asked, add, pass } = batchOf(t, { gap: () => 500, enough: 16 });
  add({ n: 0 });
  await pass();
  for (const body of bodies(15, 1)) add(body);
  await pass(100);
  assert.equal(asked.length, 1);
  add({ n: 16 });
  await pass();
  assert.deepEqual(asked[1].bodies, bodies(16, 1));
});

test("who gives up is not waited for, and a request for nobody is cut off", async (t) => {
  const { asked, add, pass } = batchOf(t);
  const [a, b, c] = [new AbortController(), new AbortController(), new AbortController()];
  const results = [add({ n: 0 }, a.signal), add({ n: 1 }, b.signal)];
  const early = add({ n: 2 }, c.signal);
  c.abort("early");
  await assert.rejects(early, (reason) => reason === "early");
  await pass();
  assert.deepEqual(asked[0].bodies, bodies(2));
  a.abort("enough");
  await assert.rejects(results[0], (reason) => reason === "enough");
  assert.equal(asked[0].signal.aborted, false);
  b.abort("enough");
  await assert.rejects(results[1], (reason) => reason === "enough");
  assert.equal(asked[0].signal.aborted, true);
  await assert.rejects(add({ n: 3 }, a.signal), (reason) => reason === "enough");
});

test("each has its own error, and what has no result that of the request", async (t) => {
  const { asked, add, pass } = batchOf(t);
  const results = bodies(3).map((body) => add(body));
  await pass();
  asked[0].settle(0, "fine");
  asked[0].settle(1, new Error("refused"), true);
  asked[0].settle(1, "too late");
  asked[0].settle(7, "nobody's");
  asked[0].fail(new Error("cut off"));
  assert.equal(await results[0], "fine");
  await assert.rejects(results[1], /refused/);
  await assert.rejects(results[2], /cut off/);
});

test("where the server takes fewer at once, they are asked for in halves", async (t) => {
  const { asked, add, pass } = batchOf(t, { tooMany: ({ message }) => message === "too many" });
  const results = bodies(10).map((body) => add(body));
  await pass();
  await asked[0].fail(new Error("too many"));
  await pass();
  await pass();
  assert.deepEqual(asked.slice(1).map(({ bodies }) => bodies), [bodies(5), bodies(5, 5)]);
  for (const request of asked.slice(1)) bodies(5).forEach((_, n) => request.settle(n, n));
  assert.deepEqual(await Promise.all(results), [0, 1, 2, 3, 4, 0, 1, 2, 3, 4]);
});

const answer = {
  results: [
    { index: 1, grant: { key: 'a "quoted" { [ \\ ] } key', list: [{ deep: [1, 2] }] } },
    { index: 0, problem: { code: "size_too_large", detail: "Größer als 5 MB 😀" } },
    { index: 2, pending: true, retry_after: 2 },
  ],
};

for (const length of [1, 2, 7, 10_000]) {
  test(`results are read from pieces of ${length}`, () => {
    const text = JSON.stringify(answer, null, length % 2);
    /** @type {any[]} */
    const seen = [];
    const results = new Results((result) => seen.push(result));
    for (let at = 0; at < text.length; at += length) results.read(text.slice(at, at + length));
    assert.deepEqual(seen, answer.results);
  });
}

test("a result is there before the answer ends", () => {
  /** @type {any[]} */
  const seen = [];
  const results = new Results((result) => seen.push(result));
  results.read('{"results":[{"index":0}');
  assert.deepEqual(seen, [{ index: 0 }]);
  results.read(',{"index":');
  assert.equal(seen.length, 1);
});
