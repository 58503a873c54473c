// Images that are made smaller before they go up.

const TYPES = ["image/jpeg", "image/png", "image/webp"];
const QUALITY = 0.9; // of JPEG and WebP, which lose some
const HEAD = 4096; // bytes in which an animation says that it is one

/** Whether a file is an image that can be made smaller. @param {Pick<File, "type">} file */
export const resizable = ({ type }) => TYPES.includes(type);

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

/**
 * An image of the same type, name and time, turned upright, or the file itself where it
 * is small enough, moves, or cannot be made smaller here.
 *
 * @param {File} file
 * @param {number} most pixels of the longer side
 */
export async function resized(file, most) {
  try {
    if (!resizable(file) || (await isAnimated(file))) return file;
    return (await redrawn(file, most)) ?? file;
  } catch {
    return file; // which is no image, or too large for this browser
  }
}

/** @param {File} file @param {number} most */
async function redrawn(file, most) {
  const { name, type, lastModified } = file;
  const image = await createImageBitmap(file, { imageOrientation: "from-image" });
  try {
    const size = fitted(image, most);
    if (!size) return null;
    const canvas = new OffscreenCanvas(size.width, size.height);
    const context = canvas.getContext("2d");
    if (!context) return null;
    context.imageSmoothingQuality = "high";
    context.drawImage(image, 0, 0, size.width, size.height);
    const blob = await canvas.convertToBlob({ type, quality: QUALITY });
    const better = blob.type === type && blob.size < file.size; // browsers write PNG instead of what they can't
    return better ? new File([blob], name, { type, lastModified }) : null;
  } finally {
    image.close();
  }
}

/** @param {File} file */
async function isAnimated(file) {
  const head = new Uint8Array(await file.slice(0, HEAD).arrayBuffer());
  return /acTL|ANIM/.test(String.fromCharCode(...head));
}
