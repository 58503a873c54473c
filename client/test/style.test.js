import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";
import { css } from "../src/style.js";

const documentation = await readFile(new URL("../postern-upload.d.ts", import.meta.url), "utf8");
const themes = new URL("../../examples/component/web/", import.meta.url);
const [page, sheet] = await Promise.all(["themes.html", "themes.css"].map((name) => readFile(new URL(name, themes), "utf8")));
const properties = new Set(css.match(/--postern-\w+/g));

test("there are custom properties", () => assert.notEqual(properties.size, 0));

for (const property of properties) {
  test(`${property} is documented`, () => assert.ok(documentation.includes(`\`${property}\``)));
  test(`${property} is on the page of all variants`, () => {
    assert.ok(page.includes(`<code>${property}</code>`));
    assert.match(sheet, new RegExp(`${property}: `));
  });
}
