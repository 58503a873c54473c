import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";
import { css } from "../src/style.js";

const documentation = await readFile(new URL("../postern-upload.d.ts", import.meta.url), "utf8");
const properties = new Set(css.match(/--postern-\w+/g));

test("there are custom properties", () => assert.notEqual(properties.size, 0));

for (const property of properties) {
  test(`${property} is documented`, () => assert.ok(documentation.includes(`\`${property}\``)));
}
