// Which files an element takes, as far as the page knows: what the server would say.

import { UploadError } from "./postern.js";

/**
 * The patterns of an attribute accept: "image/*", "application/pdf", ".txt".
 *
 * @param {string} accept
 */
export const patternsOf = (accept) => accept.toLowerCase().split(",").map((pattern) => pattern.trim()).filter(Boolean);

/**
 * @param {string} pattern
 * @param {Pick<File, "name" | "type">} file
 */
function matches(pattern, { name, type }) {
  if (pattern.startsWith(".")) return name.toLowerCase().endsWith(pattern);
  if (pattern === "*/*") return true;
  return pattern.endsWith("/*") ? type.startsWith(pattern.slice(0, -1)) : type === pattern;
}

// The server knows many types by other names, too, and those of files without one by their
// extension. These are nothing else to it.
export const SURE = (
  "image/png image/jpeg image/gif image/webp image/avif image/tiff image/heic image/svg+xml video/mp4 video/webm video/mpeg " +
  "video/quicktime audio/mpeg audio/ogg audio/flac audio/aac text/plain text/html text/css text/csv text/javascript " +
  "application/pdf application/zip application/json application/msword"
).split(" ");
const ACTIVE = /^text\/(html|javascript)$|\+xml$/; // of which families and "*/*" have none

/** @param {string[]} types @param {string} type */
const admits = (types, type) => types.includes(type) || (!ACTIVE.test(type) && types.some((pattern) => matches(pattern, { name: "", type })));

/**
 * Limits of files. A limit that is not there is none.
 *
 * @typedef {object} Accepted
 * @property {string} [accept] as the attribute has it
 * @property {string[]} [types] as the server has them
 * @property {number} [maxSize] in bytes; 0 is none
 * @property {number} [minSize] in bytes
 */

/**
 * Why a file is refused, or null.
 *
 * @param {Pick<File, "name" | "type" | "size">} file
 * @param {Accepted} limits
 */
export const refusalOf = (file, limits) => sizeRefusal(file, limits) ?? typeRefusal(file, limits);

/** @param {Pick<File, "size">} file @param {Accepted} limits */
function sizeRefusal({ size }, { maxSize, minSize = 0 }) {
  if (maxSize && size > maxSize) return tooLarge(maxSize);
  return size < minSize ? new UploadError("size_too_small", { min_size: minSize }) : null;
}

/** @param {Pick<File, "name" | "type">} file @param {Accepted} limits */
function typeRefusal(file, { accept = "", types = [] }) {
  const patterns = patternsOf(accept);
  if (patterns.length && !patterns.some((pattern) => matches(pattern, file))) return wrongType(patterns);
  return types.length && SURE.includes(file.type) && !admits(types, file.type) ? wrongType(types) : null;
}

/** @param {string[]} allowed_types */
const wrongType = (allowed_types) => new UploadError("type_not_allowed", { allowed_types });

/** @param {number} max in bytes */
const tooLarge = (max) => new UploadError("size_too_large", { max_size: max });
