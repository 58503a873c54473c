import assert from "node:assert/strict";
import { readdir } from "node:fs/promises";
import { test } from "node:test";
import en from "../src/locales/en.js";
import { LANGUAGES } from "../src/words.js";

const languages = Object.keys(LANGUAGES);

/** @import { Texts } from "../postern-upload.d.ts" */

/** @type {Texts} */
const english = en;
const PLURALS = [...new Set(Object.keys(en).filter((key) => key.endsWith(".other")).map((key) => key.replace(".other", "")))];
const plain = Object.keys(en).filter((key) => !PLURALS.includes(key.split(".")[0]));

/** @param {string} text */
const placeholders = (text) => [...text.matchAll(/\{\w+\}/g)].map(String).sort();

test("there is a file of each language, and of no other", async () => {
  const files = await readdir(new URL("../src/locales/", import.meta.url));
  assert.deepEqual(files.sort(), ["en", ...languages].sort().map((language) => `${language}.js`));
});

for (const language of ["en", ...languages]) {
  /** @type {{ default: Texts }} */
  const { default: texts } = await (LANGUAGES[language]?.() ?? { default: en });
  const categories = new Intl.PluralRules(language).resolvedOptions().pluralCategories;

  test(`${language} has every text, and each form of its plurals`, () => {
    const forms = PLURALS.flatMap((name) => categories.map((category) => `${name}.${category}`));
    assert.deepEqual(Object.keys(texts).sort(), [...plain, ...forms].sort());
  });

  test(`${language} says what English does`, () => {
    for (const [name, text] of Object.entries(texts)) {
      const [base] = name.split(".");
      const model = english[PLURALS.includes(base) ? `${base}.other` : name];
      assert.deepEqual(placeholders(text), placeholders(model), name);
      assert.equal(text, text.trim(), name);
      assert.notEqual(text, "", name);
    }
  });
}
