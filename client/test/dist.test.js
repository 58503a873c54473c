// What is served must be what the sources make.

import assert from "node:assert/strict";
import { readFile, readdir } from "node:fs/promises";
import { relative } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { bundle } from "../build.js";

const dist = new URL("../dist/", import.meta.url);
const { outputFiles, metafile } = await bundle();

/** @param {{ path: string }} file */
const nameOf = ({ path }) => relative(fileURLToPath(dist), path);

for (const file of outputFiles) {
  test(`dist/${nameOf(file)} is what the sources make (run "make client" after a change)`, async () => {
    assert.ok(file.text === (await readFile(new URL(nameOf(file), dist), "utf8")));
  });
}

test("dist has nothing else", async () => {
  const files = (await readdir(dist, { recursive: true, withFileTypes: true })).filter((entry) => entry.isFile());
  assert.deepEqual(files.map(({ parentPath, name }) => nameOf({ path: `${parentPath}/${name}` })).sort(), outputFiles.map(nameOf).sort());
});

test("what is served imports the module, and nothing else before it is needed", () => {
  /** @param {string} name */
  const imported = (name) => [...new Set(metafile.outputs[`dist/${name}`].imports.map(({ path, kind }) => `${kind} ${path}`))];
  assert.deepEqual(imported("postern.js"), ["dynamic-import ./crc64.js"]);
  const locales = imported("postern-upload.js").filter((path) => path.includes("./locales/"));
  assert.deepEqual(imported("postern-upload.js").filter((path) => !locales.includes(path)), ["import-statement ./postern.js", "dynamic-import ./kept.js"]);
  assert.ok(locales.every((path) => path.startsWith("dynamic-import ")));
  assert.deepEqual(imported("kept.js"), []);
  assert.deepEqual(imported("uppy.js").sort(), ["import-statement ./postern.js", "import-statement @uppy/core"]);
  assert.deepEqual(imported("crc64.js"), []);
  assert.deepEqual(imported("react.js"), ["import-statement react", "import-statement ./postern.js"]);
  assert.deepEqual(imported("vue.js"), ["import-statement vue", "import-statement ./postern.js"]);
  assert.deepEqual(imported("svelte.js"), ["import-statement ./postern.js"]);
});
