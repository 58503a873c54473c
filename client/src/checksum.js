/**
 * The SHA-256 of a blob, in base64. It reads the blob into memory whole, and needs a
 * secure context.
 *
 * @param {Blob} blob
 */
export async function sha256(blob) {
  const sum = await crypto.subtle.digest("SHA-256", await blob.arrayBuffer());
  return btoa(String.fromCharCode(...new Uint8Array(sum)));
}
