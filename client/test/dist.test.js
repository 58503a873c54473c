// What is served must be what the sources make.

import assert from "node:assert/strict";
import { readFile, readdir } from "node:fs/promises";
import { basename } from "node:path";
import { test } from "node:test";
import { bundle } from "../build.js";

const dist = new URL("../dist/", import.meta.url);
const { outputFiles, metafile } = await bundle();

for (const { path, text } of outputFiles) {
  test(`dist/${basename(path)} is what the sources make (run "make client" after a change)`, async () => {
    assert.ok(text === (await readFile(new URL(basename(path), dist), "utf8")));
  });
}

test("dist has nothing else", async () => {
  assert.deepEqual((await readdir(dist)).sort(), outputFiles.map(({ path }) => basename(path)).sort());
});

test("the element imports the module, and nothing else is imported before it is needed", () => {
  /** @param {string} name */
  const imported = (name) => [...new Set(metafile.outputs[`dist/${name}`].imports.map(({ path, kind }) => `${kind} ${path}`))];
  assert.deepEqual(imported("postern.js"), ["dynamic-import ./crc64.js"]);
  assert.deepEqual(imported("postern-upload.js"), ["import-statement ./postern.js"]);
  assert.deepEqual(imported("crc64.js"), []);
});
