// The model of one upload in the list: its state, and what follows from it. It knows
// neither the page nor the network.

import { pathOf } from "./folders.js";
import { cleanName } from "./names.js";
import { UploadError } from "./postern.js";

/** @import { Kept } from "./kept.js" */
/** @import { Progress, Retrying, State as Waiting, Stored, Unfinished } from "../postern.d.ts" */

/**
 * - waiting: for its turn
 * - uploading: it has its turn
 * - paused: by a person or the page
 * - unfinished: cut off when the page was left, and goes on when its file is chosen; one
 *   whose file the browser has kept is paused
 * - done: it has its receipt
 * - failed, cancelled: it can be tried again
 * - removed: it is in the list no more
 *
 * @typedef {"waiting" | "uploading" | "paused" | "unfinished" | "done" | "failed" | "cancelled" | "removed"} State
 */

/**
 * Which states may follow which. A receipt may come in while an upload pauses, or
 * waits to go on after a pause.
 *
 * @type {Readonly<Record<State, readonly State[]>>}
 */
export const TRANSITIONS = {
  waiting: ["uploading", "paused", "done", "failed", "cancelled", "removed"],
  uploading: ["waiting", "paused", "unfinished", "done", "failed", "cancelled", "removed"],
  paused: ["waiting", "unfinished", "done", "cancelled", "removed"],
  unfinished: ["removed"],
  done: ["removed"],
  failed: ["waiting", "removed"],
  cancelled: ["waiting", "removed"],
  removed: [],
};

/** @type {readonly State[]} */
const BUSY = ["waiting", "uploading", "paused", "unfinished"];
/** @type {readonly State[]} */
const REPLACEABLE = ["failed", "cancelled", "unfinished"];

// Statuses of the server to which the same file would get the same answer.
const FINAL = [400, 413, 415, 422];
// What may be another time, of a bucket's refusals below 500. Without CORS rules it looks
// as if it were down.
const PASSING = [
  "RequestTimeout", "OperationAborted", "ConditionalRequestConflict", "NoSuchUpload", "PreconditionFailed", "bucket_unreachable", "unexpected",
];

/** @typedef {"pause" | "resume" | "choose" | "retry" | "cancel" | "remove"} Action */

/** @typedef {Pick<File, "name" | "size" | "lastModified" | "type">} FileLike */

/**
 * What tells files apart.
 *
 * @param {FileLike} file
 */
export const idOf = ({ name, size, lastModified, type }) => JSON.stringify([name, size, lastModified, type]);

export class UploadItem {
  /** @type {State} */
  #state;
  /** How many bytes have been sent. */
  loaded = 0;
  /** Whether pausing keeps what was sent. */
  resumable = false;
  /** @type {Stored | null} */
  receipt = null;
  /** Why it has failed. @type {Error | null} */
  error = null;
  /** What is tried again by itself, and why. @type {Retrying | null} */
  retrying = null;
  /** Whether another tab uploads the file. */
  elsewhere = false;
  /** What brings its file back. @type {Kept | null} */
  kept = null;
  /** Whether trying again cannot help. */
  final = false;

  /**
   * @param {File | Unfinished | null} file null where only the receipt is known
   * @param {{ id: string, name: string, size: number, type: string }} about
   * @param {State} state
   */
  constructor(file, { id, name, size, type }, state) {
    this.file = file;
    /** What tells its file apart; "" without one. */
    this.id = id;
    /** As it is shown. */
    this.name = cleanName(name) || "?";
    this.size = size;
    this.type = type;
    /** The folders in which the file was. */
    this.path = file instanceof File ? pathOf(file) : "";
    /** What tells it apart from others in the list. */
    this.key = this.path + id;
    this.#state = state;
  }

  /** A file that was chosen, or dropped. @param {File} file */
  static chosen(file) {
    return new UploadItem(file, { ...describe(file), id: idOf(file) }, "waiting");
  }

  /**
   * An upload that was cut off. What was sent completely needs no file.
   *
   * @param {Unfinished} file
   * @param {Kept | null} [kept]
   */
  static cutOff(file, kept = null) {
    const { loaded, size } = file;
    const without = kept ? "paused" : "unfinished";
    const item = new UploadItem(file, { ...describe(file), id: idOf(file) }, loaded === size ? "waiting" : without);
    item.loaded = loaded;
    item.kept = kept;
    return item;
  }

  /** An upload of which the form's state has kept the receipt. @param {Stored} receipt */
  static stored(receipt) {
    const { filename: name, size, type } = receipt;
    const item = new UploadItem(null, { id: "", name, size, type }, "done");
    item.receipt = receipt;
    return item;
  }

  get state() {
    return this.#state;
  }

  /** Whether something is still to come of it. */
  get busy() {
    return BUSY.includes(this.#state);
  }

  /** Whether it goes on by itself. */
  get active() {
    return this.#state === "waiting" || this.#state === "uploading";
  }

  /** Whether leaving the page cuts it off, or loses all of it. */
  get atRisk() {
    return this.active || (this.#state === "paused" && this.hasBytes && !this.resumable);
  }

  /** Whether its file may be chosen again. */
  get replaceable() {
    return REPLACEABLE.includes(this.#state) || (this.#state === "paused" && !this.hasBytes);
  }

  /** Whether it takes one of the places in the list that max-files counts. */
  get counted() {
    return !this.final && this.#state !== "cancelled";
  }

  /** Whether the file's bytes are here. */
  get hasBytes() {
    return this.file instanceof Blob;
  }

  /** Whether it waits for what another page has left, and has nothing of its own. */
  get leftOver() {
    return this.busy && this.#state !== "uploading" && !this.hasBytes;
  }

  /** How much of it has been sent, from 0 to 1. */
  get fraction() {
    if (this.receipt) return 1;
    return this.size && this.loaded / this.size;
  }

  get percent() {
    return Math.floor(this.fraction * 100);
  }

  /** What a person may do with it first, or "". @returns {Action | ""} */
  get mainAction() {
    switch (this.#state) {
      case "waiting":
      case "uploading":
        return this.resumable ? "pause" : "";
      case "paused":
        return "resume";
      case "unfinished":
        return "choose";
      case "failed":
        return this.final ? "" : "retry";
      case "cancelled":
        return "retry";
      default:
        return "";
    }
  }

  /** How a person ends it. @returns {Action} */
  get endAction() {
    return this.busy ? "cancel" : "remove";
  }

  /** Begins, or begins again. */
  wait() {
    this.#become("waiting");
    this.error = null;
    this.final = false;
  }

  start() {
    this.#become("uploading");
  }

  /** @param {Pick<Progress, "loaded" | "resumable">} progress */
  progress({ loaded, resumable }) {
    this.loaded = loaded;
    this.resumable = resumable;
  }

  /** Takes what goes up in the file's place. @param {File} file */
  replace(file) {
    this.file = file;
    this.size = file.size;
  }

  /** What it waits for, of itself. @param {Waiting} waiting */
  hold({ retrying, elsewhere }) {
    this.retrying = retrying;
    this.elsewhere = elsewhere;
  }

  pause() {
    this.#become("paused");
  }

  /** It cannot go on without its file. */
  needFile() {
    this.#become("unfinished");
  }

  /** @param {Stored} receipt */
  complete(receipt) {
    this.#become("done");
    this.receipt = receipt;
  }

  /** @param {Error} error */
  fail(error) {
    this.#become("failed");
    this.error = error;
    this.loaded = 0;
    this.resumable = false;
    this.final = isFinal(error);
  }

  cancel() {
    this.#become("cancelled");
    this.loaded = 0;
    this.resumable = false;
  }

  remove() {
    this.#become("removed");
  }

  /** @param {State} state */
  #become(state) {
    if (!TRANSITIONS[this.#state].includes(state)) throw new Error(`${this.#state} does not become ${state}`);
    this.#state = state;
    this.retrying = null;
    this.elsewhere = false;
  }
}

/** @param {FileLike} file */
const describe = ({ name, size, type }) => ({ name, size, type });

/**
 * Whether trying again cannot help.
 *
 * @param {Error} error
 */
function isFinal(error) {
  if (!(error instanceof UploadError)) return false;
  const { from, code, status, retryAfter } = error;
  if (retryAfter || code === "uploading_elsewhere") return false;
  if (from === "bucket") return isFinalAtBucket(error);
  return from === "browser" || FINAL.includes(status);
}

/** @param {UploadError} error */
function isFinalAtBucket({ code, status, detail, mend }) {
  if (hasExpired({ from: "bucket", code, detail }) || PASSING.includes(code)) return false;
  return mend !== null || (status >= 300 && status < 500 && ![408, 425, 429].includes(status));
}

/**
 * Whether the bucket says that the grant is too old. Another one is not, unless a clock is
 * wrong.
 *
 * @param {Pick<UploadError, "from" | "detail" | "code">} error
 */
export const hasExpired = ({ from, detail, code }) =>
  from === "bucket" && code !== "clock_wrong" && (/expired/i.test(detail) || code === "ExpiredToken");
