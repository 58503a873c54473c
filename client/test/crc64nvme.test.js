import assert from "node:assert/strict";
import { test } from "node:test";
import { CRC64NVME, share } from "../src/crc64nvme.js";

/** Bit by bit, as the parameters of the catalogue say it. @param {Uint8Array} bytes */
function slow(bytes) {
  let sum = 0xffff_ffff_ffff_ffffn;
  for (const byte of bytes) {
    sum ^= BigInt(byte);
    for (let bit = 0; bit < 8; bit++) sum = sum & 1n ? (sum >> 1n) ^ 0x9a6c9329ac4bc9b5n : sum >> 1n;
  }
  return sum ^ 0xffff_ffff_ffff_ffffn;
}

/** @param {Uint8Array[]} chunks */
function sumOf(...chunks) {
  const crc = new CRC64NVME();
  for (const chunk of chunks) crc.update(chunk);
  return crc.sum;
}

// A generator of its own: the same bytes in each run.
let state = 1;
const random = (/** @type {number} */ below) => {
  state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
  return Math.floor((state / 2 ** 32) * below);
};
const noise = (/** @type {number} */ length) => Uint8Array.from({ length }, () => random(256));
const text = new TextEncoder();

test("the sums are those of the catalogue and of the standard", () => {
  for (const [bytes, want] of /** @type {[Uint8Array, bigint][]} */ ([
    [text.encode("123456789"), 0xae8b14860a799888n],
    [new Uint8Array(), 0n],
    [new Uint8Array(4096), 0x6482d367eb22b64en],
    [new Uint8Array(4096).fill(255), 0xc0ddba7302eca3acn],
  ])) {
    assert.equal(sumOf(bytes), want);
  }
});

test("every length has the sum that the definition gives", () => {
  for (let length = 0; length < 70; length++) {
    const bytes = noise(length);
    assert.equal(sumOf(bytes), slow(bytes), `${length} bytes`);
  }
});

test("chunks of any length, wherever they begin in memory, add up", () => {
  for (let round = 0; round < 50; round++) {
    const bytes = noise(500);
    const a = random(500);
    const b = a + random(500 - a);
    assert.equal(sumOf(bytes.subarray(0, a), bytes.subarray(a, b), bytes.subarray(b)), slow(bytes), `at ${a} and ${b}`);
  }
});

test("the shares of the pieces make the sum of the whole, in any order", () => {
  for (let round = 0; round < 50; round++) {
    const bytes = noise(1 + random(1000));
    const pieceSize = 1 + random(300);
    const shares = [];
    for (let at = 0; at < bytes.length; at += pieceSize) {
      const piece = bytes.subarray(at, at + pieceSize);
      shares.push(share(sumOf(piece), bytes.length - at - piece.length));
    }
    shares.sort(() => random(2) - 0.5);
    assert.equal(shares.reduce((sum, one) => sum ^ one), slow(bytes), `${bytes.length} bytes in pieces of ${pieceSize}`);
  }
});

test("a share counts the bytes after it in steps of any size, beyond 32 bits", () => {
  const sum = sumOf(noise(10));
  const tib = 2 ** 40;
  assert.equal(share(sum, 0), sum);
  assert.equal(share(share(sum, 5 * tib - 7), 7), share(sum, 5 * tib));
  assert.notEqual(share(sum, 5 * tib), share(sum, 4 * tib));
});
