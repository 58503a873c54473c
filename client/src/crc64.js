// Sums parts. It is a file of its own, which uploads in parts load: as a worker, or into
// the page where there can be none.

import { CRC64NVME, share } from "./crc64nvme.js";

/**
 * The share of a part in the sum of its file. It is read in chunks, so parts may be of
 * any size.
 *
 * @param {Blob} part
 * @param {number} after how many bytes of the file follow it
 */
export async function shareOf(part, after) {
  const crc = new CRC64NVME();
  const reader = part.stream().getReader(); // Safari cannot iterate over a stream
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return share(crc.sum, after);
    crc.update(value);
  }
}

if (self.name === "postern-crc64") {
  onmessage = async ({ data: { number, bytes, after } }) => {
    postMessage({ number, share: await shareOf(bytes, after).catch(() => null) });
  };
  postMessage(null); // it can be asked
}
