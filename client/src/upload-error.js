// The reason that pauses, and the error of every upload that fails.

/** @import * as API from "../postern.d.ts" */

/** @type {typeof API.PAUSE} */
export const PAUSE = /** @type {typeof API.PAUSE} */ (Symbol("pause"));

// What whoever runs the server can mend: where uploads go, by which keys, and from which
// pages. S3 has many codes for it, and few statuses.
const OPERATOR = [301, 403, 404, 405, 501];
// And what the person: the file, or who they are signed in as.
const PERSON = [401, 413, 415];

/** @implements {API.UploadError} */
export class UploadError extends Error {
  /** @param {string} code @param {API.UploadErrorInit} init */
  constructor(code, init = {}) {
    const { from = "browser", status = 0, detail = "", retryAfter = 0, ended = false, requestId = "", cause } = init;
    super(detail || code, { cause });
    this.name = "UploadError";
    /** @readonly */
    this.code = code;
    /** @readonly */
    this.from = from;
    /** @readonly */
    this.status = status;
    /** @readonly */
    this.detail = detail;
    /** @readonly @type {API.Limits} */
    this.limits = {
      min_size: init.min_size,
      max_size: init.max_size,
      allowed_types: init.allowed_types,
      used: init.used,
      limit: init.limit,
    };
    /** @readonly */
    this.retryAfter = retryAfter;
    /** @readonly */
    this.ended = ended === true;
    /** @readonly */
    this.mend = mendOf(code, from, status);
    /** @readonly */
    this.requestId = requestId;
  }
}

/** @param {string} code @param {UploadError["from"]} from @param {number} status @returns {API.UploadError["mend"]} */
function mendOf(code, from, status) {
  if (from === "server") return PERSON.includes(status) ? "person" : null;
  if (/^(file_|EntityToo)/.test(code)) return "person";
  return /^(bucket|blocked)_/.test(code) || (OPERATOR.includes(status) && code !== "NoSuchUpload") ? "operator" : null;
}

/**
 * The code of an error, whoever threw it.
 *
 * @param {unknown} error
 */
export const codeOf = (error) => (error instanceof UploadError ? error.code : "");
