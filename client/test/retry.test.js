import assert from "node:assert/strict";
import { test } from "node:test";
import { UploadError } from "../src/postern.js";
import { delay, passes } from "../src/retry.js";

/** @import { UploadErrorInit } from "../postern.d.ts" */

for (const [what, code, init, expected] of /** @type {[string, string, UploadErrorInit, boolean][]} */ ([
  ["no answer", "network", { from: "server" }, true],
  ["a body that came too slowly", "RequestTimeout", { from: "bucket", status: 400 }, true],
  ["whatever the server tells to try again", "completion_failed", { from: "server", status: 409, retryAfter: 1 }, true],
  ["a timeout", "unexpected", { from: "server", status: 408 }, true],
  ["a replayed early request", "unexpected", { from: "server", status: 425 }, true],
  ["too many requests", "SlowDown", { from: "bucket", status: 429 }, true],
  ["a gateway's error", "unexpected", { from: "server", status: 502 }, true],
  ["an internal error of the bucket", "InternalError", { from: "bucket", status: 500 }, true],
  ["an internal error of the server", "internal", { from: "server", status: 500 }, false],
  ["a refusal", "size_too_large", { from: "server", status: 413 }, false],
  ["an expired signature", "AccessDenied", { from: "bucket", status: 403 }, false],
  ["a file that is gone", "file_unreadable", {}, false],
])) {
  test(`${what} ${expected ? "may pass" : "does not pass"}`, () => {
    assert.equal(passes(new UploadError(code, init)), expected);
  });
}

test("the wait doubles with each failure, and is random below that", () => {
  assert.deepEqual([0, 1, 2, 5].map((failures) => delay(failures, 0, 1)), [500, 1000, 2000, 16_000]);
  assert.equal(delay(5, 0, 0.25), 4000);
  assert.equal(delay(5, 0, 0), 0);
});

test("the wait is no shorter than the server says", () => {
  assert.equal(delay(1, 30, 0), 30_000);
  assert.equal(delay(5, 1, 1), 16_000);
});

test("pages that the server tells the same come back at other times", () => {
  assert.equal(delay(0, 30, 0.5), 37_500);
  assert.equal(delay(0, 30, 1), 45_000);
});
