// The reason that pauses, and the error of every upload that fails.

/** @import * as API from "../postern.d.ts" */

/** @type {typeof API.PAUSE} */
export const PAUSE = /** @type {typeof API.PAUSE} */ (Symbol("pause"));

// What whoever runs the server can mend: where uploads go, by which keys, from which
// pages, and at what time.
const OPERATOR = new RegExp(
  "^(bucket_unreachable|blocked_by_policy|clock_wrong|RequestTimeTooSkewed|NoSuchBucket|SignatureDoesNotMatch|AccessDenied" +
    "|InvalidAccessKeyId|InvalidToken|AllAccessDisabled|AccountProblem|AuthorizationHeaderMalformed|AuthorizationQueryParametersError" +
    "|PermanentRedirect|InvalidPolicyDocument|NotImplemented|MethodNotAllowed|QuotaExceeded)$",
);
// And what the person: the file, or who they are signed in as.
const PERSON = /^(file_unreadable|file_needed|EntityTooLarge|EntityTooSmall)$/;
const STATUSES = [401, 413, 415]; // of the server, which say the same

/** @implements {API.UploadError} */
export class UploadError extends Error {
  /** @param {string} code @param {API.UploadErrorInit} init */
  constructor(code, init = {}) {
    const { from = "browser", status = 0, detail = "", retryAfter = 0, ended = false, requestId = "", time = NaN, cause } = init;
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
    /** @readonly */
    this.mend = mendOf(code, from, status);
    /** @readonly */
    this.requestId = requestId;
    /** @readonly */
    this.time = time;
  }
}

/** @param {string} code @param {UploadError["from"]} from @param {number} status @returns {API.UploadError["mend"]} */
function mendOf(code, from, status) {
  if (from === "server") return STATUSES.includes(status) ? "person" : null;
  if (OPERATOR.test(code)) return "operator";
  return PERSON.test(code) ? "person" : null;
}

/**
 * The code of an error, whoever threw it.
 *
 * @param {unknown} error
 */
export const codeOf = (error) => (error instanceof UploadError ? error.code : "");
