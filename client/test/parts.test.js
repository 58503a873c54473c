import assert from "node:assert/strict";
import { test } from "node:test";
import { clocked } from "../src/clock.js";
import { nearlyThere } from "../src/parts.js";
import { UploadError } from "../src/postern.js";

/** @import { UploadErrorInit } from "../postern.d.ts" */

const size = 1000;

/** @param {number[]} loaded @param {{ rate?: number, most?: number }} line */
const kept = (loaded, { rate = 0, most = size } = {}) =>
  nearlyThere(loaded.map((bytes) => ({ loaded: bytes, size })), { most, rate }).map((part) => part.loaded);

test("a pause waits for parts of which three quarters have left", () => {
  assert.deepEqual(kept([100, 750, 300, 749 - 200]), [750]);
  assert.deepEqual(kept([]), []);
  assert.deepEqual(kept([0, 10]), []);
});

test("and for those that a second is enough for", () => {
  assert.deepEqual(kept([100, 500], { rate: 1 }), []);
  assert.deepEqual(kept([100, 700], { rate: 0.7 }), [700]);
});

test("and for as many of the others, the furthest first, that no more than one part is lost", () => {
  assert.deepEqual(kept([600, 700, 650, 620]), [700, 650, 620]);
  assert.deepEqual(kept([600, 300, 100]), []);
  assert.deepEqual(kept([600, 300, 101]), [600]);
});

const asked = { date: 1_700_000_000_000, running: 5000 };
const signed = { asked, life: 300_000 };
const after = (/** @type {number} */ ms, set = 0) => ({ date: asked.date + ms + set, running: asked.running + ms });

for (const [what, code, init, answered, expected] of /** @type {[string, string, UploadErrorInit, typeof asked, string][]} */ ([
  ["a fresh policy that has expired", "AccessDenied", { detail: "Invalid according to Policy: Policy expired." }, after(1000), "clock_wrong"],
  ["a fresh URL that has expired", "AccessDenied", { detail: "Request has expired" }, after(260_000), "clock_wrong"],
  ["a URL that is not valid yet", "AccessDenied", { detail: "Request is not valid yet" }, after(1000), "clock_wrong"],
  ["what says so itself", "RequestTimeTooSkewed", {}, after(1000), "clock_wrong"],
  ["what has expired indeed", "AccessDenied", { detail: "Request has expired" }, after(280_000), "AccessDenied"],
  ["what has expired while the machine slept", "AccessDenied", { detail: "Request has expired" }, after(1000, 200_000), "AccessDenied"],
  ["what was signed before the browser's clock was set", "AccessDenied", { detail: "Request has expired" }, after(1000, -200_000), "AccessDenied"],
  ["another refusal", "AccessDenied", { detail: "Access Denied." }, after(1000), "AccessDenied"],
  ["credentials that have expired", "ExpiredToken", { detail: "The provided token has expired." }, after(1000), "ExpiredToken"],
])) {
  test(`whether a clock is wrong: ${what}`, () => {
    const error = clocked(new UploadError(code, { from: "bucket", status: 403, ...init }), signed, answered);
    assert.ok(error instanceof UploadError);
    assert.equal(error.code, expected);
    assert.equal(error.status, 403);
  });
}

for (const [code, init, expected] of /** @type {[string, UploadErrorInit, UploadError["mend"]][]} */ ([
  ["NoSuchBucket", { from: "bucket", status: 404 }, "operator"],
  ["NoSuchUpload", { from: "bucket", status: 404 }, null],
  ["SignatureDoesNotMatch", { from: "bucket", status: 403 }, "operator"],
  ["bucket_unreachable", { from: "bucket" }, "operator"],
  ["blocked_by_policy", {}, "operator"],
  ["EntityTooLarge", { from: "bucket", status: 400 }, "person"],
  ["file_unreadable", {}, "person"],
  ["unauthenticated", { from: "server", status: 401 }, "person"],
  ["size_too_large", { from: "server", status: 413 }, "person"],
  ["type_not_allowed", { from: "server", status: 415 }, "person"],
  ["SlowDown", { from: "bucket", status: 503 }, null],
  ["network", { from: "bucket" }, null],
  ["busy", { from: "server", status: 503 }, null],
])) {
  test(`who can mend ${code}: ${expected ?? "nobody, or time"}`, () => {
    assert.equal(new UploadError(code, init).mend, expected);
  });
}
