import assert from "node:assert/strict";
import { test } from "node:test";
import { fitted, moves, redrawable, redrawn } from "../src/resize.js";

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

const PROFILE = "x".repeat(9000);

for (const [what, content, type] of [
  ["a moving PNG", `\x89PNG${PROFILE}acTL..IDAT`, "image/png"],
  ["a moving WebP", `RIFF....WEBPVP8X....ICCP${PROFILE}ANIM..ANMF..VP8 `, "image/webp"],
  ["a moving AVIF", "....ftypavis....meta", "image/avif"],
  ["what is no image", "hello", "image/jpeg"], ["a text", "hello", "text/plain"],
]) {
  test(`${what} goes up as it is`, async () => {
    const file = new File([bytesOf(content)], "a", { type });
    assert.equal(await redrawn(file, { most: 1, to: "image/jpeg" }, new AbortController().signal), file);
    assert.equal(await moves(file), what.includes("moving"));
  });
}

for (const [what, content] of [
  ["PNG that tells of others", "\x89PNG....IDAT..acTL"],
  ["WebP", "RIFF....WEBPVP8X....ALPH..VP8 ..ANIM"],
  ["AVIF", "....ftypavif....mif1..meta..avis"],
  ["JPEG of an ANIMAL", "\xFF\xD8\xFF\xE1....ANIMAL"],
]) {
  test(`a ${what} stands still`, async () => assert.equal(await moves(new Blob([bytesOf(content)])), false));
}

/** @param {string} text of Latin-1 */
const bytesOf = (text) => Uint8Array.from(text, (char) => char.charCodeAt(0));
