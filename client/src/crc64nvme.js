// CRC-64/NVME, which S3 calls CRC64NVME: the polynomial 0xad93d23594c93659, reflected,
// and all ones before and after (NVM Express NVM Command Set Specification 1.0, section
// 5.2.1.3.4).

const POLYNOMIAL = 0x9a6c9329ac4bc9b5n; // reflected: the highest bit is the one of x⁰
const BYTE = 1n << 55n; // x⁸

// Slicing by 8, after Kounavis and Berry (2005): row k has what each byte does to the sum
// if k bytes follow it. In halves, as there are no fast integers of 64 bits.
const TABLES = [new Int32Array(8 * 256), new Int32Array(8 * 256)];
for (let byte = 0; byte < 256; byte++) {
  let sum = BigInt(byte);
  for (let row = 0; row < 8; row++) {
    for (let bit = 0; bit < 8; bit++) sum = timesX(sum);
    TABLES[0][row * 256 + byte] = Number(BigInt.asIntN(32, sum >> 32n));
    TABLES[1][row * 256 + byte] = Number(BigInt.asIntN(32, sum));
  }
}

export class CRC64NVME {
  #high = -1;
  #low = -1;

  /** The sum of the bytes so far, from 0 to 2⁶⁴ - 1. */
  get sum() {
    return (BigInt(~this.#high >>> 0) << 32n) | BigInt(~this.#low >>> 0);
  }

  /** @param {Uint8Array} bytes */
  update(bytes) {
    const eights = bytes.length - (bytes.length % 8);
    this.#addEights(new DataView(bytes.buffer, bytes.byteOffset, eights));
    this.#addBytes(bytes.subarray(eights));
  }

  // A method of its own: with the other loop in the same one, V8 makes it half as fast.
  /** @param {DataView} view of a multiple of eight bytes */
  #addEights(view) {
    const [high, low] = TABLES;
    const { byteLength } = view;
    let h = this.#high;
    let l = this.#low;
    for (let at = 0; at < byteLength; at += 8) {
      const a = l ^ view.getInt32(at, true);
      const b = h ^ view.getInt32(at + 4, true);
      const a0 = 1792 + (a & 255);
      const a1 = 1536 + ((a >>> 8) & 255);
      const a2 = 1280 + ((a >>> 16) & 255);
      const a3 = 1024 + (a >>> 24);
      const b0 = 768 + (b & 255);
      const b1 = 512 + ((b >>> 8) & 255);
      const b2 = 256 + ((b >>> 16) & 255);
      const b3 = b >>> 24;
      h = high[a0] ^ high[a1] ^ high[a2] ^ high[a3] ^ high[b0] ^ high[b1] ^ high[b2] ^ high[b3];
      l = low[a0] ^ low[a1] ^ low[a2] ^ low[a3] ^ low[b0] ^ low[b1] ^ low[b2] ^ low[b3];
    }
    this.#high = h;
    this.#low = l;
  }

  /** @param {Uint8Array} bytes */
  #addBytes(bytes) {
    const [high, low] = TABLES;
    for (const byte of bytes) {
      const i = (this.#low ^ byte) & 255;
      this.#low = ((this.#low >>> 8) | (this.#high << 24)) ^ low[i];
      this.#high = (this.#high >>> 8) ^ high[i];
    }
  }
}

/**
 * What a piece adds to the sum of the whole: that is the XOR of the shares of all its
 * pieces, in any order.
 *
 * @param {bigint} sum of the piece alone
 * @param {number} after how many bytes follow it in the whole
 */
export function share(sum, after) {
  let product = sum;
  let power = BYTE; // x⁸, x¹⁶, x³², …
  for (let n = after; n > 0; n = Math.floor(n / 2)) {
    if (n % 2) product = times(product, power);
    power = times(power, power);
  }
  return product;
}

/** The product of two polynomials, modulo the CRC's. @param {bigint} a @param {bigint} b */
function times(a, b) {
  let product = 0n;
  let multiple = b;
  for (let bit = 1n << 63n; bit; bit >>= 1n) {
    if (a & bit) product ^= multiple;
    multiple = timesX(multiple);
  }
  return product;
}

/** @param {bigint} polynomial */
function timesX(polynomial) {
  return polynomial & 1n ? (polynomial >> 1n) ^ POLYNOMIAL : polynomial >> 1n;
}
