import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";
import { cleanName, isolated, splitName } from "../src/names.js";

const names = JSON.parse(await readFile(new URL("../../internal/filename/testdata/names.json", import.meta.url), "utf8"));
for (const [name, cleaned] of names) {
  test(`${JSON.stringify(name)} is cleaned as the server does`, () => assert.equal(cleanName(name), cleaned));
}

for (const [name, halves] of /** @type {[string, [string, string]][]} */ ([
  ["report-of-the-year.pdf", ["report-of-the-y", "ear.pdf"]],
  ["a.pdf", ["", "a.pdf"]],
  ["travel expenses", ["travel expen", "ses"]],
  ["בית הספר.pdf", ["בית הספר", ".pdf"]],
  ["日本語の長い名前.txt", ["日本語の長い名前", ".txt"]],
  ["archive.tar.gz", ["archive.", "tar.gz"]],
  ["日本", ["日本", ""]],
])) {
  test(`${name} keeps its end`, () => assert.deepEqual(splitName(name), halves));
}

test("only names that are written from right to left are isolated", () => {
  assert.equal(isolated("a.pdf"), "a.pdf");
  assert.equal(isolated("א.pdf"), "\u2068א.pdf\u2069");
});
