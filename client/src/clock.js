// How old a signature is, and what a bucket says that disagrees.

import { UploadError } from "./upload-error.js";

/** @typedef {{ date: number, running: number }} Moment in ms since 1970, and since the page began */

const JUMP = 10_000; // ms by which the two may differ, or the clock was set, or the machine slept

/** @returns {Moment} */
export const now = () => ({ date: Date.now(), running: performance.now() });

/** @typedef {{ asked: Moment, life: number }} Signed when a signature was asked for, and how long it is good, in ms */

/**
 * Whether a signature is still good, a little early.
 *
 * @param {Signed} signed
 * @param {Moment} at
 */
export const valid = ({ asked, life }, at = now()) => at.date < asked.date + 0.9 * life;

/**
 * The error of a bucket, or another one where its clock and that of the server, which has
 * signed, are not the same: a signature is refused for its age that was made just now. The
 * browser's clock has no part in it.
 *
 * @param {unknown} error
 * @param {Signed} signed
 * @param {Moment} answered
 */
export function clocked(error, signed, answered = now()) {
  if (!(error instanceof UploadError) || !isAge(error)) return error;
  const { date, running } = signed.asked;
  const jumped = Math.abs(answered.date - date - (answered.running - running)) > JUMP;
  if (error.code !== "RequestTimeTooSkewed" && (jumped || !valid(signed, answered))) return error;
  const { from, status, detail, requestId } = error;
  return new UploadError("clock_wrong", { from, status, detail, requestId, cause: error });
}

/** @param {UploadError} error */
const isAge = ({ from, code, detail }) =>
  from === "bucket" && (code === "RequestTimeTooSkewed" || (code === "AccessDenied" && /expired|not valid yet/i.test(detail)));
