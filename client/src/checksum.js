// What is read of files, and its sums in base64, as S3 writes them.

import { UploadError } from "./upload-error.js";

/**
 * The bytes of a blob. A file that is gone, or has changed on disk, is told apart.
 *
 * @param {Blob} blob
 */
export const read = (blob) =>
  blob.arrayBuffer().catch((cause) => {
    throw new UploadError("file_unreadable", { cause });
  });

/**
 * The SHA-256 of a blob. It reads the blob into memory whole, and needs a
 * secure context.
 *
 * @param {Blob} blob
 */
export async function sha256(blob) {
  return base64(await crypto.subtle.digest("SHA-256", await read(blob)));
}

/** @type {Promise<unknown>} */
let last = Promise.resolve();

/**
 * The same, of one blob after the other: many files are not in memory at once.
 *
 * @param {Blob} blob
 * @returns {Promise<string>}
 */
export function sha256InTurn(blob) {
  const sum = last.then(() => sha256(blob));
  last = sum.catch(() => {});
  return sum;
}

/**
 * A CRC64NVME.
 *
 * @param {bigint} sum
 */
export function crc64nvme(sum) {
  const bytes = new ArrayBuffer(8);
  new DataView(bytes).setBigUint64(0, sum);
  return base64(bytes);
}

/** @param {ArrayBuffer} bytes */
const base64 = (bytes) => btoa(String.fromCharCode(...new Uint8Array(bytes)));
