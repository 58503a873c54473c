import assert from "node:assert/strict";
import { test } from "node:test";
import { crc64nvme, sha256 } from "../src/checksum.js";

test("a CRC64NVME is written as S3 does: eight bytes, the highest first", () => {
  assert.equal(crc64nvme(0xae8b14860a799888n), "rosUhgp5mIg=");
  assert.equal(crc64nvme(1n), "AAAAAAAAAAE=");
});

test("a SHA-256 is that of the bytes", async () => {
  assert.equal(await sha256(new Blob(["abc"])), "ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0="); // FIPS 180-4
});
