// The package for npm, as its exports have it.

import assert from "node:assert/strict";
import { access, readFile } from "node:fs/promises";
import { test } from "node:test";
import { get } from "svelte/store";
import { texts } from "@postern-go/client/element";
import german from "@postern-go/client/locales/de";
import * as react from "@postern-go/client/react";
import { postern } from "@postern-go/client/svelte";
import * as vue from "@postern-go/client/vue";
import about from "../package.json" with { type: "json" };

test("a server can import all of it, and render without a page", () => {
  assert.ok(texts.en.list);
  assert.ok(german.list);
  assert.deepEqual([typeof react.usePostern, typeof vue.usePostern], ["function", "function"]);
});

test("the store keeps Svelte's contract", () => {
  const store = postern({ endpoint: "/uploads" });
  const empty = { uploads: [], progress: 0, uploading: false, errors: [] };
  assert.deepEqual(get(store), empty);
  /** @type {unknown[]} */
  const seen = [];
  const leave = store.subscribe((uploads) => seen.push(uploads));
  store.clear();
  leave();
  store.clear();
  assert.deepEqual(seen, [empty, empty]);
});

test("every export has its file, its types and the license", async () => {
  const targets = Object.entries(about.exports).flatMap(([, target]) => (typeof target === "string" ? target : Object.values(target)));
  for (const target of targets) await access(new URL(`../${target.replace("*", "de")}`, import.meta.url));
  const [ours, whole] = await Promise.all(["../LICENSE", "../../LICENSE"].map((file) => readFile(new URL(file, import.meta.url), "utf8")));
  assert.equal(ours, whole);
});
