import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { afterEach, test } from "node:test";
import { UploadError } from "../src/postern.js";
import { Words, texts } from "../src/words.js";

/** @import { UploadErrorInit } from "../postern.d.ts" */

const english = new Words("en", {});
afterEach(() => {
  delete texts.de;
});

const sizes = JSON.parse(await readFile(new URL("../../testdata/sizes.json", import.meta.url), "utf8"));
for (const [bytes, expected] of sizes) {
  test(`${bytes} bytes read as ${expected}, here and at the server`, () => assert.equal(english.size(bytes), expected));
}

for (const [bytes, expected] of /** @type {[number, string][]} */ ([[0, "0 byte/s"], [999.6, "1 kB/s"], [3_456_789, "3.5 MB/s"]])) {
  test(`a speed of ${bytes} reads as ${expected}`, () => assert.equal(english.speed(bytes), expected));
}

for (const [seconds, expected] of /** @type {[number, string][]} */ ([
  [0.1, "1 sec"], [59.4, "59 sec"], [59.5, "1 min"], [125, "2 min"], [3599, "1 hr"], [1e6, "278 hr"],
])) {
  test(`${seconds} seconds read as ${expected}`, () => assert.equal(english.duration(seconds), expected));
}

test("of many names the first are told", () => {
  assert.equal(english.names(["a", "b", "c"]), "a, b, and c");
  assert.equal(english.names(["a", "b", "c", "d", "e"]), "a, b, c and 2 more");
  assert.equal(english.names(["שלום.pdf"]), "\u2068שלום.pdf\u2069");
});

test("a text has its values filled in", () => {
  assert.equal(english.text("paused", { percent: "0" }), "Paused at 0 %");
  assert.equal(english.text("too_many", { count: 2, names: "{count}" }), "Too many files: the limit is 2. Left out: {count}.");
});

test("a text that lacks a value is none", () => {
  assert.equal(english.text("size_too_large", { size: "1 kB", max: undefined }), "");
  assert.equal(english.text("hint_types"), "");
});

test("types are called what the texts call them", () => {
  assert.equal(english.types(["image/*", "application/pdf", ".txt"]), "images, PDF, and .txt");
});

test("what is no text is no member of objects, either", () => {
  assert.equal(english.types(["constructor"]), "constructor");
  assert.equal(english.failure(new UploadError("toString", { from: "server", detail: "No." }), { size: 1, online: true }), "No.");
});

test("the language's own texts go before English, and those of the element before all", () => {
  texts.de = { done: "Hochgeladen", hint_size: "Bis {max}" };
  const german = new Words("de-AT", { done: "Fertig" });
  assert.equal(german.text("done"), "Fertig");
  assert.equal(german.text("hint_size", { max: german.size(1.5e6) }), "Bis 1,5 MB");
  assert.equal(german.text("waiting"), "Waiting");
});

test("numbers are English where the texts are", () => {
  assert.equal(new Words("de", {}).size(1500), "1.5 kB");
});

test("what is no language tag is English", () => {
  assert.equal(new Words("x_y", { done: "Fertig" }).size(1500), "1.5 kB");
});

for (const [what, code, init, about, expected] of
  /** @type {[string, string, UploadErrorInit, { size?: number, online?: boolean }, string][]} */ ([
    ["offline", "network", { from: "server" }, { online: false }, texts.en.offline],
    ["the server does not answer", "network", { from: "server" }, {}, texts.en.server_unreachable],
    ["the bucket does not answer", "network", { from: "bucket" }, {}, texts.en.storage_unreachable],
    ["too large", "size_too_large", { max_size: 1000 }, { size: 2000 }, "Too large: this file has 2 kB, and the limit is 1 kB."],
    ["just too large", "size_too_large", { max_size: 1e6 }, { size: 1e6 + 1 }, "Too large: just above the limit of 1 MB."],
    ["too small", "size_too_small", { min_size: 10 }, { size: 5 }, "Too small: a file must have at least 10 bytes."],
    ["empty", "size_too_small", { min_size: 1 }, { size: 0 }, texts.en.size_zero],
    ["of another type", "type_not_allowed", { allowed_types: ["image/*"] }, {}, "Files of this kind are not accepted here, only images."],
    ["no room", "quota_exceeded", { from: "server", status: 413, used: 4.9e9, limit: 5e9 }, {}, "There is no room for this file: 4.9 GB of 5 GB are used."],
    ["no room at all", "quota_exceeded", { from: "server", status: 413, used: 0, limit: 0 }, {}, "There is no room for this file: 0 bytes of 0 bytes are used."],
    ["no room for a file", "files_exceeded", { from: "server", status: 413, used: 1200, limit: 1200 }, {}, "There is no room for another file: 1,200 of 1,200 are used."],
    ["too many under way", "uploads_exceeded", { from: "server", status: 429, used: 3, limit: 3 }, {}, "Too many uploads are under way: 3 of 3. Try again when one has ended."],
    ["too many in a minute", "rate_exceeded", { from: "server", status: 429, used: 60, limit: 60 }, {}, "Too many uploads in a minute: the limit is 60. Try again in a moment."],
    ["a quota that is not told", "quota_exceeded", { from: "server", detail: "Full." }, {}, "Full."],
    ["a limit that is not told", "size_too_large", { from: "server", detail: "Too big." }, {}, "Too big."],
    ["an expired grant", "AccessDenied", { from: "bucket", status: 403, detail: "Request has expired" }, {}, texts.en.grant_expired],
    ["a busy bucket", "SlowDown", { from: "bucket", status: 503, detail: "Please reduce" }, {}, texts.en.storage_overloaded],
    ["a refusal of the bucket", "AccessDenied", { from: "bucket", status: 403, detail: "Access Denied" }, {}, "The storage refused the file (AccessDenied). Only the people who run this site can mend that."],
    ["a bucket that is not there", "NoSuchBucket", { from: "bucket", status: 404 }, {}, "The storage of this site is not set up right (NoSuchBucket). Only the people who run it can mend that."],
    ["a wrong clock", "RequestTimeTooSkewed", { from: "bucket", status: 403 }, {}, "The clock of the server or of the storage is wrong (RequestTimeTooSkewed). Only the people who run this site can mend that."],
    ["a wrong clock, of which the bucket says that the grant has expired", "clock_wrong", { from: "bucket", status: 403, detail: "Request has expired" }, {}, "The clock of the server or of the storage is wrong (clock_wrong). Only the people who run this site can mend that."],
    ["a code of the bucket's that the server has used", "NoSuchBucket", { from: "server", detail: "No." }, {}, "No."],
    ["a code without a text", "plan_full", { from: "server", detail: "Your plan is full." }, {}, "Your plan is full."],
    ["without words of the server", "plan_full", { from: "server" }, {}, texts.en.unexpected],
  ])) {
  test(`a failure is said in words: ${what}`, () => {
    assert.equal(english.failure(new UploadError(code, init), { size: 1, online: true, ...about }), expected);
  });
}

for (const [code, from, expected] of /** @type {[string, "server" | "bucket", string][]} */ ([
  ["network", "server", "Trying again: the server doesn’t answer"],
  ["network", "bucket", "Trying again: the storage doesn’t answer"],
  ["bucket_unreachable", "bucket", "Trying again: the storage doesn’t answer"],
  ["SlowDown", "bucket", "Trying again: the storage is busy"],
  ["unavailable", "server", "Trying again: the server is busy"],
])) {
  test(`what is tried again is said in words: ${code} of the ${from}`, () => assert.equal(english.hope({ code, from }), expected));
}

test("what code of the page throws is nothing for people", () => {
  assert.equal(english.failure(new Error("no token"), { size: 1, online: true }), texts.en.unexpected);
});
