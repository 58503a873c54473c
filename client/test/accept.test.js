import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";
import { SURE, patternsOf, refusalOf } from "../src/accept.js";

const photo = { name: "Sea.PNG", type: "image/png", size: 100 };

for (const [accept, file, taken] of /** @type {[string, typeof photo, boolean][]} */ ([
  ["", photo, true],
  [" , ", photo, true],
  ["image/*", photo, true],
  ["IMAGE/PNG", photo, true],
  [".png", photo, true],
  ["*/*", photo, true],
  ["application/pdf, image/png", photo, true],
  ["image/jpeg", photo, false],
  ["video/*", photo, false],
  [".jpg", photo, false],
  ["image/*", { ...photo, type: "" }, false],
  ["image/*", { ...photo, type: "imagery/png" }, false],
])) {
  test(`"${accept}" ${taken ? "takes" : "refuses"} ${file.name} of type "${file.type}"`, () => {
    const refusal = refusalOf(file, { accept, maxSize: 0 });
    assert.equal(refusal?.code, taken ? undefined : "type_not_allowed");
  });
}

test("a refusal names what is accepted", () => {
  assert.deepEqual(refusalOf(photo, { accept: "Video/*,.txt", maxSize: 0 })?.limits.allowed_types, ["video/*", ".txt"]);
});

test("a file may be as large as the limit", () => {
  assert.equal(refusalOf(photo, { accept: "", maxSize: 100 }), null);
  const refusal = refusalOf(photo, { accept: "", maxSize: 99 });
  assert.equal(refusal?.code, "size_too_large");
  assert.equal(refusal.limits.max_size, 99);
});

test("patterns have no case and no spaces", () => {
  assert.deepEqual(patternsOf(" .TXT , image/* ,,"), [".txt", "image/*"]);
});

/** @type {[string[], typeof photo, boolean][]} */
const judged = [
  [[], photo, true],
  [["image/*"], photo, true],
  [["image/png"], photo, true],
  [["image/*"], { ...photo, type: "image/svg+xml" }, false],
  [["image/svg+xml"], { ...photo, type: "image/svg+xml" }, true],
  [["application/pdf", "video/*"], photo, false],
  // What the server may know by another name, or by the extension, is for it to say.
  [["application/zip"], { ...photo, type: "application/x-zip-compressed" }, true],
  [["image/jpeg"], { ...photo, type: "image/jpg" }, true],
  [["image/heic"], { ...photo, type: "" }, true],
  [["text/plain"], { ...photo, type: "application/octet-stream" }, true],
];
for (const [types, file, taken] of judged) {
  test(`rules for [${types}] ${taken ? "leave" : "refuse"} a file of type "${file.type}"`, () => {
    const refusal = refusalOf(file, { types });
    assert.equal(refusal?.code, taken ? undefined : "type_not_allowed");
    if (refusal) assert.deepEqual(refusal.limits.allowed_types, types);
  });
}

test("the types that are judged here are those of which the server is as sure", async () => {
  const names = await readFile(new URL("../../internal/mediatype/testdata/one-name.json", import.meta.url), "utf8");
  assert.deepEqual(SURE, JSON.parse(names));
});

test("a file may be as small as the limit", () => {
  assert.equal(refusalOf(photo, { minSize: 100 }), null);
  assert.equal(refusalOf(photo, { minSize: 101 })?.code, "size_too_small");
  assert.equal(refusalOf(photo, { minSize: 101 })?.limits.min_size, 101);
});
