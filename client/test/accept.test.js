import assert from "node:assert/strict";
import { test } from "node:test";
import { patternsOf, refusalOf } from "../src/accept.js";

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
