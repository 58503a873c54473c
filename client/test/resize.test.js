import assert from "node:assert/strict";
import { test } from "node:test";
import { fitted, resizable, resized } from "../src/resize.js";

for (const [width, height, expected] of /** @type {[number, number, object | null][]} */ ([
  [4000, 3000, { width: 2000, height: 1500 }],
  [3000, 4000, { width: 1500, height: 2000 }],
  [2000, 2000, null],
  [10, 10, null],
  [100_000, 3, { width: 2000, height: 1 }],
])) {
  test(`${width} by ${height} pixels fit into 2000`, () => assert.deepEqual(fitted({ width, height }, 2000), expected));
}

test("photos are made smaller, and nothing else", () => {
  assert.deepEqual(["image/jpeg", "image/png", "image/webp", "image/gif", "image/svg+xml", "text/plain"].filter((type) => resizable({ type })),
    ["image/jpeg", "image/png", "image/webp"]);
});

for (const [what, content, type] of [
  ["a moving PNG", "\x89PNG....acTL", "image/png"], ["a moving WebP", "RIFF....WEBPVP8XANIM", "image/webp"],
  ["what is no image", "hello", "image/jpeg"], ["a text", "hello", "text/plain"],
]) {
  test(`${what} goes up as it is`, async () => {
    const file = new File([content], "a", { type });
    assert.equal(await resized(file, 1), file);
  });
}
