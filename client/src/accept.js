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

/**
 * Why a file is refused, or null.
 *
 * @param {Pick<File, "name" | "type" | "size">} file
 * @param {{ accept: string, maxSize: number }} limits maxSize is in bytes; 0 is none
 */
export function refusalOf(file, { accept, maxSize }) {
  if (maxSize && file.size > maxSize) return tooLarge(maxSize);
  const patterns = patternsOf(accept);
  if (!patterns.length || patterns.some((pattern) => matches(pattern, file))) return null;
  return new UploadError("type_not_allowed", { allowed_types: patterns });
}

/** @param {number} max in bytes */
export const tooLarge = (max) => new UploadError("size_too_large", { max_size: max });
