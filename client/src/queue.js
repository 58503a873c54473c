// Which of the files that wait begin.

/** @import { UploadItem } from "./upload-item.js" */

const FILES = 3;
const SMALL_FILES = 100; // as many as the server is asked about in one request
const SMALL_BYTES = 16_000_000; // that are sent before their grants expire

/**
 * The next of those that wait: as many as are asked for, or three, and more while all
 * together are small, so that they share requests and fill all connections.
 *
 * @param {UploadItem[]} items
 * @param {number} concurrency 0 leaves it to the sizes
 */
export function nextOf(items, concurrency) {
  const next = [];
  let files = 0;
  let bytes = 0;
  for (const { state, size } of items) {
    if (state !== "uploading") continue;
    files++;
    bytes += size;
  }
  for (const item of items) {
    if (item.state !== "waiting") continue;
    const small = files < SMALL_FILES && bytes + item.size <= SMALL_BYTES;
    if (files >= (concurrency || FILES) && (concurrency || !small)) break;
    next.push(item);
    files++;
    bytes += item.size;
  }
  return next;
}
