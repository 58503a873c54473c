// How old a signature is, and what a bucket says that disagrees.

import { UploadError } from "./upload-error.js";

/** @typedef {{ date: number, running: number }} Moment in ms since 1970, and since the page began */

const JUMP = 10_000; // ms by which the two may differ, or the clock was set, or the machine slept

/** @returns {Moment} */
export const now = () => ({ date: Date.now(), running: performance.now() });

/**
 * Whether a signature is still good that was asked for at a moment.
 *
 * @param {Moment} asked
 * @param {number} life in ms
 */
export const valid = (asked, life) => Date.now() < asked.date + life;

/**
 * The error of a bucket, or another one where its clock and that of the server, which has
 * signed, are not the same: a signature is refused for its age that was made just now. The
 * browser's clock has no part in it.
 *
 * @param {unknown} error
 * @param {{ asked: Moment, life: number }} signed
 * @param {Moment} answered
 */
export function clocked(error, { asked, life }, answered = now()) {
  if (!(error instanceof UploadError) || !isAge(error)) return error;
  const passed = answered.date - asked.date;
  const jumped = Math.abs(passed - (answered.running - asked.running)) > JUMP;
  if (error.code !== "RequestTimeTooSkewed" && (jumped || passed < 0 || passed >= life)) return error;
  const { from, status, requestId, time } = error;
  const ahead = Math.round((time - answered.date) / 1000);
  const apart = ahead ? ` The bucket's clock is ${Math.abs(ahead)} s ${ahead > 0 ? "ahead of" : "behind"} the browser's.` : "";
  return new UploadError("clock_wrong", { from, status, requestId, time, detail: error.detail + apart, cause: error });
}

/** @param {UploadError} error */
const isAge = ({ from, code, detail }) =>
  from === "bucket" && (code === "RequestTimeTooSkewed" || (code === "AccessDenied" && /expired|not valid yet/i.test(detail)));
