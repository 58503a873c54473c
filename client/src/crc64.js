// Sums parts. It is a file of its own, which uploads in parts load: as a worker, or into
// the page where there can be none.

import { CRC64NVME, share } from "./crc64nvme.js";

const CHUNK = 2 ** 21; // bytes that are in memory at once; some ms of work

/**
 * The share of a part in the sum of its file. Parts may be of any size.
 *
 * @param {Blob} part
 * @param {number} after how many bytes of the file follow it
 */
export async function shareOf(part, after) {
  const crc = new CRC64NVME();
  for (let at = 0; at < part.size; at += CHUNK) {
    crc.update(new Uint8Array(await part.slice(at, at + CHUNK).arrayBuffer()));
  }
  return share(crc.sum, after);
}

if (self.name === "postern-crc64") {
  onmessage = async ({ data: { number, bytes, after } }) => {
    postMessage({ number, share: await shareOf(bytes, after).catch(() => null) });
  };
  postMessage(null); // it can be asked
}
