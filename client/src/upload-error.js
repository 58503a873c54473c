// The reason that pauses, and the error of every upload that fails.

/** @import * as API from "../postern.d.ts" */

/** @type {typeof API.PAUSE} */
export const PAUSE = /** @type {typeof API.PAUSE} */ (Symbol("pause"));

/** @implements {API.UploadError} */
export class UploadError extends Error {
  /** @param {string} code @param {API.UploadErrorInit} init */
  constructor(code, init = {}) {
    const { from = "browser", status = 0, detail = "", retryAfter = 0, ended = false, cause } = init;
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
    this.limits = { min_size: init.min_size, max_size: init.max_size, allowed_types: init.allowed_types };
    /** @readonly */
    this.retryAfter = retryAfter;
    /** @readonly */
    this.ended = ended === true;
  }
}

/**
 * The code of an error, whoever threw it.
 *
 * @param {unknown} error
 */
export const codeOf = (error) => (error instanceof UploadError ? error.code : "");
