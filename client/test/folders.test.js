import assert from "node:assert/strict";
import { test } from "node:test";
import { filesIn, pathOf } from "../src/folders.js";

/** @param {string} fullPath @param {(FileSystemEntry | Error)[][]} batches @returns {FileSystemDirectoryEntry} */
function folder(fullPath, ...batches) {
  const readEntries = (/** @type {(entries: unknown[]) => void} */ resolve, /** @type {(error: unknown) => void} */ reject) => {
    const batch = batches.shift() ?? [];
    if (batch[0] instanceof Error) reject(batch[0]);
    else resolve(batch);
  };
  return /** @type {any} */ ({ isDirectory: true, fullPath, name: fullPath.split("/").at(-1), createReader: () => ({ readEntries }) });
}

/** @param {string} fullPath @returns {FileSystemEntry} */
function file(fullPath, broken = false) {
  const name = fullPath.split("/").at(-1) ?? "";
  /** @param {(file: File) => void} resolve @param {(error: unknown) => void} reject */
  const give = (resolve, reject) => (broken ? reject(new Error("gone")) : resolve(new File(["x"], name)));
  return /** @type {any} */ ({ isDirectory: false, fullPath, name, file: give });
}

test("a folder has the files of all folders in it, by name", async () => {
  const { files, left } = await filesIn([
    folder("/b", [file("/b/2.txt")], [file("/b/1.txt"), folder("/b/c", [file("/b/c/3.txt")])], []),
    folder("/a", [file("/a/.DS_Store"), file("/a/gone.txt", true), file("/a/4.txt")]),
    folder("/broken", [new Error("denied")]),
  ]);
  assert.deepEqual(files.map((found) => [pathOf(found), found.name]), [["b", "1.txt"], ["b", "2.txt"], ["b/c", "3.txt"], ["a", "4.txt"]]);
  assert.deepEqual(left, []);
});

test("what was in no folder has no path", () => assert.equal(pathOf(new File(["x"], "a.txt")), ""));

test("what is too much is told by its name", async () => {
  const many = Array.from({ length: 9999 }, (_, i) => file(`/a/${String(i).padStart(4, "0")}.txt`));
  const { files, left } = await filesIn([folder("/a", many), folder("/b", [file("/b/2.txt"), file("/b/1.txt"), folder("/b/c")]), folder("/d")]);
  assert.equal(files.length, 10_000);
  assert.equal(files.at(-1)?.name, "1.txt");
  assert.deepEqual(left, ["2.txt", "c", "d"]);
});

test("as many as are taken leave nothing out", async () => {
  const { files, left } = await filesIn([folder("/a", Array.from({ length: 10_000 }, (_, i) => file(`/a/${i}.txt`)))]);
  assert.equal(files.length, 10_000);
  assert.deepEqual(left, []);
});
