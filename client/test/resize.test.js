import assert from "node:assert/strict";
import { test } from "node:test";
import { fitted, redrawable, redrawn } from "../src/resize.js";

for (const [width, height, expected] of /** @type {[number, number, object | null][]} */ ([
  [4000, 3000, { width: 2000, height: 1500 }],
  [3000, 4000, { width: 1500, height: 2000 }],
  [2000, 2000, null],
  [10, 10, null],
  [100_000, 3, { width: 2000, height: 1 }],
])) {
  test(`${width} by ${height} pixels fit into 2000`, () => assert.deepEqual(fitted({ width, height }, 2000), expected));
}

const KINDS = ["image/jpeg", "image/png", "image/webp", "image/heic", "image/avif", "image/gif", "image/svg+xml", "text/plain", ""];

for (const [what, wish, expected] of /** @type {[string, import("../src/resize.js").Wish, string[]][]} */ ([
  ["nothing is done", { most: 0, to: "" }, []],
  ["photos are made smaller", { most: 9, to: "" }, ["image/jpeg", "image/png", "image/webp"]],
  ["pictures that stand still become another type", { most: 0, to: "image/jpeg" }, ["image/png", "image/webp", "image/heic", "image/avif"]],
  ["or both", { most: 9, to: "image/jpeg" }, ["image/jpeg", "image/png", "image/webp", "image/heic", "image/avif"]],
  ["but none that no browser writes", { most: 0, to: "image/avif" }, []],
  ["nor what is no type", { most: 0, to: "toString" }, []],
])) {
  test(what, () => assert.deepEqual(KINDS.filter((type) => redrawable({ type }, wish)), expected));
}

for (const [what, content, type] of [
  ["a moving PNG", "\x89PNG....acTL", "image/png"], ["a moving WebP", "RIFF....WEBPVP8XANIM", "image/webp"],
  ["what is no image", "hello", "image/jpeg"], ["a text", "hello", "text/plain"],
]) {
  test(`${what} goes up as it is`, async () => {
    const file = new File([content], "a", { type });
    assert.equal(await redrawn(file, { most: 1, to: "image/webp" }), file);
  });
}
