// What people are told, in their language.

import { UploadError } from "./postern.js";

/** @import * as API from "../postern-upload.d.ts" */

const en = {
  drop_one: "Drop a file here, or choose one",
  drop_many: "Drop files here, or choose them",
  hint_required: "Required",
  hint_types: "Only {types}",
  hint_size: "Up to {max} each",
  hint_count: "At most {count} files",
  list: "Files",
  progress: "Upload of {name}",
  waiting: "Waiting",
  uploading: "Uploading, {percent} %",
  finishing: "Finishing",
  disconnected: "Offline, goes on when you are connected",
  paused: "Paused at {percent} %",
  unfinished: "Choose the file again to continue",
  done: "Uploaded",
  cancelled: "Cancelled",
  pause: "Pause {name}",
  resume: "Resume {name}",
  retry: "Try {name} again",
  choose: "Choose {name} again",
  cancel: "Cancel {name}",
  remove: "Remove {name}",
  value_missing: "Choose a file.",
  still_uploading: "Not all files are uploaded yet.",
  not_uploaded: "Some files could not be uploaded. Try again, or remove them.",
  too_many: "Too many files: the limit is {count}. Left out: {names}.",
  twice: "Already in the list: {names}.",
  folder: "Folders can’t be uploaded. Drop the files inside instead.",
  size_too_large: "Too large: this file has {size}, and the limit is {max}.",
  size_just_over: "Too large: just above the limit of {max}.",
  size_too_small: "Too small: a file must have at least {min}.",
  size_zero: "This file is empty.",
  type_not_allowed: "Files of this kind are not accepted here, only {types}.",
  unauthenticated: "You aren’t signed in any more. Sign in, and try again.",
  offline: "You are offline. Try again later.",
  server_unreachable: "The server can’t be reached. Check your connection and try again.",
  storage_unreachable: "The storage can’t be reached, or doesn’t accept uploads from this page.",
  storage_refused: "The storage refused the file ({code}). Try again.",
  grant_expired: "The permission for this upload has expired. Try again.",
  SlowDown: "The storage is busy. Try again in a moment.",
  ServiceUnavailable: "The storage is busy. Try again in a moment.",
  InternalError: "The storage is busy. Try again in a moment.",
  RequestTimeout: "The storage is busy. Try again in a moment.",
  EntityTooLarge: "The file is larger than announced. Has it changed since?",
  EntityTooSmall: "The file is smaller than announced. Has it changed since?",
  file_unreadable: "The file is gone, or has changed. Choose it again.",
  unexpected: "Something went wrong. Try again in a moment.",
  "image/*": "images",
  "video/*": "videos",
  "audio/*": "audio files",
  "text/*": "text files",
  "text/plain": "plain text",
  "application/pdf": "PDF",
  "application/zip": "zip files",
};

/** @typedef {keyof typeof en} TextName */
/** @typedef {Record<string, string | number | undefined>} Values */

/** @type {typeof API.texts} */
export const texts = { en };

const UNITS = ["byte", "kilobyte", "megabyte", "gigabyte", "terabyte"];

export class Words {
  #table;
  #locale;

  /**
   * @param {string} lang a language tag, such as "de-AT"
   * @param {API.Texts} own texts that go before those of the language
   */
  constructor(lang, own) {
    const given = { ...texts[lang.split("-")[0]], ...texts[lang], ...own };
    this.#table = { ...texts.en, ...given };
    this.#locale = Object.keys(given).length ? canonical(lang) : "en";
  }

  /**
   * A text with its values filled in. One that lacks a value is "".
   *
   * @param {TextName} name
   * @param {Values} values
   */
  text(name, values = {}) {
    return this.#find(name, values);
  }

  /** @param {string} name @param {Values} values */
  #find(name, values) {
    const text = this.#own(name) ?? "";
    const needed = Array.from(text.matchAll(/\{(\w+)\}/g), ([, value]) => value);
    if (!needed.every((value) => values[value])) return "";
    return text.replace(/\{(\w+)\}/g, (_, value) => String(values[value]));
  }

  /** @param {string} name */
  #own(name) {
    return Object.hasOwn(this.#table, name) ? this.#table[name] : undefined;
  }

  /**
   * A size in the largest unit that it fills.
   *
   * @param {number} bytes
   */
  size(bytes) {
    let amount = bytes;
    let unit = 0;
    for (; amount >= 1023.5 && unit < UNITS.length - 1; unit++) amount /= 1024;
    return new Intl.NumberFormat(this.#locale, {
      style: "unit",
      unit: UNITS[unit],
      unitDisplay: unit ? "short" : "long",
      maximumFractionDigits: amount < 99.95 ? 1 : 0,
    }).format(amount);
  }

  /** @param {Iterable<string>} items */
  list(items) {
    return new Intl.ListFormat(this.#locale).format(items);
  }

  /**
   * Media types and patterns, as the texts call them.
   *
   * @param {string[]} patterns
   */
  types(patterns) {
    return this.list(patterns.map((pattern) => this.#own(pattern) ?? pattern));
  }

  /**
   * Why a file has failed: by the text of the error's code, or else in the server's
   * words.
   *
   * @param {Error} error
   * @param {{ size: number, online: boolean }} about the file's size in bytes
   */
  failure(error, { size, online }) {
    if (!(error instanceof UploadError)) return this.text("unexpected");
    const { code, from, detail, limits } = error;
    const values = { code, size: this.size(size), ...this.#limits(limits) };
    const name = failureName(error, { empty: size === 0, online, justOver: values.size === values.max });
    const said = this.#find(name, values) || (from === "server" ? detail : "");
    return said || this.text(from === "bucket" ? "storage_refused" : "unexpected", values);
  }

  /** @param {UploadError["limits"]} limits */
  #limits({ min_size, max_size, allowed_types }) {
    return {
      min: min_size && this.size(min_size),
      max: max_size && this.size(max_size),
      types: allowed_types?.length ? this.types(allowed_types) : undefined,
    };
  }
}

/**
 * The name of the text that fits best.
 *
 * @param {UploadError} error
 * @param {{ empty: boolean, online: boolean, justOver: boolean }} about the file; justOver
 *   where the limit reads as its size does
 */
function failureName({ code, from, detail }, { empty, online, justOver }) {
  if (/^(network|bucket_unreachable|blocked_by_policy)$/.test(code)) return networkName(from, online);
  if (code === "size_too_large" && justOver) return "size_just_over";
  if (code === "size_too_small" && empty) return "size_zero";
  if (from === "bucket" && /expired/i.test(detail)) return "grant_expired";
  return code;
}

/** @param {UploadError["from"]} from @param {boolean} online */
function networkName(from, online) {
  if (!online) return "offline";
  return from === "server" ? "server_unreachable" : "storage_unreachable";
}

/** @param {string} lang */
function canonical(lang) {
  try {
    return Intl.getCanonicalLocales(lang)[0] ?? "en";
  } catch {
    return "en"; // no language tag
  }
}
