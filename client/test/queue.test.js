import assert from "node:assert/strict";
import { test } from "node:test";
import { nextOf } from "../src/queue.js";
import { UploadItem } from "../src/upload-item.js";

/** @param {number[]} sizes */
const items = (...sizes) => sizes.map((size, i) => new UploadItem(null, { id: `${i}`, name: `${i}`, size, type: "" }, "waiting"));

for (const [what, sizes, concurrency, expected] of /** @type {[string, number[], number, number][]} */ ([
  ["three that are large", [1e9, 1e9, 1e9, 1e9], 0, 3],
  ["a hundred that are small", Array(200).fill(10_000), 0, 100],
  ["small ones, up to 16 MB", Array(200).fill(1e6), 0, 16],
  ["no small one beside three large ones", [1e9, 1e9, 1e9, 1], 0, 3],
  ["as many as are asked for", Array(200).fill(1), 2, 2],
  ["as many as are asked for, whatever their size", Array(10).fill(1e9), 5, 5],
])) {
  test(`of files that wait begin ${what}`, () => assert.equal(nextOf(items(...sizes), concurrency).length, expected));
}

test("what goes up already is counted", () => {
  const all = items(1e9, 1e9, 1e9, 1e9);
  all[0].start();
  all[1].start();
  assert.deepEqual(nextOf(all, 0), [all[2]]);
});
