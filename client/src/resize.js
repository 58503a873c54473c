// Images that are made smaller, or become another type, before they go up.

/** What browsers write, and how its names end. @type {Record<string, string>} */
const WRITTEN = { "image/jpeg": ".jpg", "image/png": ".png", "image/webp": ".webp" };
const STILL = /^image\/(?!gif|svg)/;
const QUALITY = 0.9; // of JPEG and WebP, which lose some
const HEAD = 2 ** 20; // bytes in which an animation says that it is one, behind its profile and the like
const AT_ONCE = 3; // images that are in memory

/**
 * What becomes of an image.
 *
 * @typedef {object} Wish
 * @property {number} most pixels of the longer side; 0 for as many as there are
 * @property {string} to the type; "" for its own
 */

/** Whether a file is an image that a wish is for. @param {Pick<File, "type">} file @param {Wish} wish */
export const redrawable = ({ type }, { most, to }) =>
  (most > 0 && Object.hasOwn(WRITTEN, type)) || (Object.hasOwn(WRITTEN, to) && to !== type && STILL.test(type));

/**
 * The size of an image whose longer side has at most so many pixels, or null if it is
 * small enough.
 *
 * @param {{ width: number, height: number }} image
 * @param {number} most
 */
export function fitted({ width, height }, most) {
  const scale = most / Math.max(width, height);
  if (scale >= 1) return null;
  return { width: Math.max(1, Math.round(width * scale)), height: Math.max(1, Math.round(height * scale)) };
}

/** The last of each row of those that wait. @type {Promise<unknown>[]} */
const rows = Array.from({ length: AT_ONCE }, () => Promise.resolve());
let next = 0;

/**
 * The image as it is wished for, of the same time, turned upright, or the file itself where
 * there is nothing to do, or it moves, or this browser cannot. Many images take turns.
 *
 * @param {File} file
 * @param {Wish} wish
 * @param {AbortSignal} signal says that it is not wished for any more
 * @returns {Promise<File>}
 */
export function redrawn(file, wish, signal) {
  const row = next++ % AT_ONCE;
  const made = rows[row].then(async () => {
    try {
      if (signal.aborted || !redrawable(file, wish) || (await moves(file))) return file;
      return (await drawn(file, wish)) ?? file;
    } catch {
      return file; // which is no image, or too large for this browser
    }
  });
  rows[row] = made;
  return made;
}

/** @param {File} file @param {Wish} wish */
async function drawn(file, { most, to }) {
  const { name, lastModified } = file;
  const type = Object.hasOwn(WRITTEN, to) ? to : file.type;
  const converted = type !== file.type;
  const image = await createImageBitmap(file, { imageOrientation: "from-image" });
  try {
    const smaller = most > 0 ? fitted(image, most) : null;
    if (!smaller && !converted) return null;
    const blob = await written(image, smaller ?? image, type);
    // Browsers write PNG instead of what they can't.
    if (blob.type !== type || (!converted && blob.size >= file.size)) return null;
    return new File([blob], converted ? name.replace(/(\.\w{1,5})?$/, WRITTEN[type]) : name, { type, lastModified });
  } finally {
    image.close();
  }
}

/** @param {ImageBitmap} image @param {{ width: number, height: number }} size @param {string} type */
function written(image, { width, height }, type) {
  const canvas = new OffscreenCanvas(width, height);
  const context = /** @type {OffscreenCanvasRenderingContext2D} */ (canvas.getContext("2d"));
  if (type === "image/jpeg") { // which is nowhere transparent
    context.fillStyle = "#fff";
    context.fillRect(0, 0, width, height);
  }
  context.imageSmoothingQuality = "high";
  context.drawImage(image, 0, 0, width, height);
  return canvas.convertToBlob({ type, quality: QUALITY });
}

/** Whether an image has several pictures. @param {Blob} file */
export async function moves(file) {
  const head = new TextDecoder("latin1").decode(await file.slice(0, HEAD).arrayBuffer());
  // Until the first picture, or what says that there are several.
  const found = /^(.PNG.*?(IDAT|acTL)|RIFF.*?(VP8[ L]|ANIM)|.{4}ftyp.*?(meta|avis))/s.exec(head)?.[0] ?? "";
  return ["acTL", "ANIM", "avis"].includes(found.slice(-4));
}
