// What people are told, in their language.

import en from "./locales/en.js";
import { isolated } from "./names.js";
import { UploadError } from "./postern.js";
import { hasExpired } from "./upload-item.js";

/** @import * as API from "../postern-upload.d.ts" */
/** @import { Retrying } from "../postern.d.ts" */

/** Those of a plural go by what stands before the dot. @typedef {{ [K in keyof typeof en]: K extends `${infer Name}.${string}` ? Name : K }[keyof typeof en]} TextName */
/** @typedef {Record<string, string | number | undefined>} Values numbers are written as the language does */

/** @type {typeof API.texts} */
export const texts = { en };

/**
 * The languages that there is a file of, beside the module. Each is spelled out for
 * bundlers, which follow no other import.
 *
 * @type {Record<string, () => Promise<{ default: API.Texts }>>}
 */
export const LANGUAGES = {
  ar: () => import("./locales/ar.js"),
  de: () => import("./locales/de.js"),
  es: () => import("./locales/es.js"),
  fr: () => import("./locales/fr.js"),
  he: () => import("./locales/he.js"),
  it: () => import("./locales/it.js"),
  ja: () => import("./locales/ja.js"),
  ko: () => import("./locales/ko.js"),
  nl: () => import("./locales/nl.js"),
  pl: () => import("./locales/pl.js"),
  pt: () => import("./locales/pt.js"),
  tr: () => import("./locales/tr.js"),
  zh: () => import("./locales/zh.js"),
};

/** What has been loaded. @type {Map<string, API.Texts>} */
const loaded = new Map();

// Units are decimal, as those of Intl and of the server: a megabyte is 10^6 bytes.
const UNITS = ["byte", "kilobyte", "megabyte", "gigabyte", "terabyte"];
const TIMES = ["second", "minute", "hour"];
const NAMED = 3; // names that a notice tells

/** Texts of a bucket's refusals that are not called as their code. @type {Record<string, TextName>} */
const REFUSALS = {
  SlowDown: "storage_overloaded",
  ServiceUnavailable: "storage_overloaded",
  InternalError: "storage_overloaded",
  RequestTimeout: "storage_overloaded",
  RequestTimeTooSkewed: "clock_wrong",
  RequestInTheFuture: "clock_wrong",
  NoSuchBucket: "storage_misconfigured",
  PermanentRedirect: "storage_misconfigured",
  SignatureDoesNotMatch: "storage_misconfigured",
  InvalidAccessKeyId: "storage_misconfigured",
  InvalidToken: "storage_misconfigured",
  AllAccessDisabled: "storage_misconfigured",
  MethodNotAllowed: "storage_misconfigured",
  NotImplemented: "storage_misconfigured",
};

/**
 * Loads the texts of a language, if there are any that are not here yet. Resolves to
 * whether it has.
 *
 * @param {string} lang a language tag
 */
export async function load(lang) {
  const language = baseOf(lang);
  if (!Object.hasOwn(LANGUAGES, language) || loaded.has(language)) return false;
  try {
    loaded.set(language, (await LANGUAGES[language]()).default);
    return true;
  } catch {
    return false; // English stands in
  }
}

export class Words {
  #table;
  #locale;
  /** @type {Map<string, Intl.NumberFormat>} */
  #formats = new Map();
  #plurals;

  /**
   * @param {string} lang a language tag, such as "de-AT"
   * @param {API.Texts} own texts that go before those of the language
   */
  constructor(lang, own) {
    const given = { ...loaded.get(baseOf(lang)), ...texts[lang.split("-")[0]], ...texts[lang], ...own };
    this.#table = { ...texts.en, ...given };
    this.#locale = Object.keys(given).length ? canonical(lang) : "en";
    this.#plurals = new Intl.PluralRules(this.#locale);
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
    const text = this.#form(name, values.count) ?? "";
    const needed = Array.from(text.matchAll(/\{(\w+)\}/g), ([, value]) => value);
    if (!needed.every((value) => values[value])) return "";
    return text.replace(/\{(\w+)\}/g, (_, key) => {
      const value = values[key];
      return typeof value === "number" ? this.number(value) : String(value);
    });
  }

  // A text without plural forms, as a page may have set, goes before those.
  /** @param {string} name @param {string | number | undefined} count */
  #form(name, count) {
    const plain = this.#own(name);
    if (plain !== undefined || typeof count !== "number") return plain;
    return this.#own(`${name}.${this.#plurals.select(count)}`) ?? this.#own(`${name}.other`);
  }

  /** @param {string} name */
  #own(name) {
    return Object.hasOwn(this.#table, name) ? this.#table[name] : undefined;
  }

  /** @param {number} amount @param {Intl.NumberFormatOptions} options */
  number(amount, options = {}) {
    const key = Object.values(options).join();
    let format = this.#formats.get(key);
    if (!format) this.#formats.set(key, (format = new Intl.NumberFormat(this.#locale, options)));
    return format.format(amount);
  }

  /**
   * A size in the largest unit that it fills.
   *
   * @param {number} bytes
   */
  size(bytes) {
    return this.#amount(bytes, "");
  }

  /** @param {number} bytes a second */
  speed(bytes) {
    return this.#amount(bytes, "-per-second");
  }

  /** @param {number} bytes @param {"" | "-per-second"} per */
  #amount(bytes, per) {
    let scale = 1;
    let unit = 0;
    for (; bytes >= 999.5 * scale && unit < UNITS.length - 1; unit++) scale *= 1000;
    const tenths = Math.round((bytes * 10) / scale);
    const amount = unit && tenths < 1000 ? tenths / 10 : Math.round(bytes / scale);
    return this.number(amount, { style: "unit", unit: UNITS[unit] + per, unitDisplay: unit || per ? "short" : "long" });
  }

  /** How long something takes, about. @param {number} seconds */
  duration(seconds) {
    let amount = seconds;
    let unit = 0;
    for (; amount >= 59.5 && unit < TIMES.length - 1; unit++) amount /= 60;
    return this.number(Math.max(1, Math.round(amount)), { style: "unit", unit: TIMES[unit], unitDisplay: "short" });
  }

  /** "a, b, and c" @param {Iterable<string>} items */
  list(items) {
    return new Intl.ListFormat(this.#locale).format(items);
  }

  /** "a, b, c" @param {Iterable<string>} items */
  series(items) {
    return new Intl.ListFormat(this.#locale, { type: "unit" }).format(items);
  }

  /** The first of some names, and how many more there are. @param {string[]} names */
  names(names) {
    const first = names.slice(0, NAMED).map(isolated);
    if (names.length <= NAMED) return this.list(first);
    return `${this.series(first)} ${this.text("more", { count: names.length - NAMED })}`;
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
    const values = { code, size: this.size(size), ...this.#limits(limits, code) };
    const name = failureName(error, { empty: size === 0, online, justOver: values.size === values.max });
    const other = from === "bucket" && Object.hasOwn(REFUSALS, name) ? REFUSALS[name] : "";
    const said = this.#find(name, values) || this.#find(other, values) || (from === "server" ? detail : "");
    return said || this.text(from === "bucket" ? "storage_refused" : "unexpected", values);
  }

  /**
   * What is hoped to pass.
   *
   * @param {Pick<Retrying, "code" | "from">} retrying
   */
  hope({ code, from }) {
    const silent = code === "network" || code === "bucket_unreachable";
    const who = from === "server" ? "server" : "storage";
    return this.text("retrying", { why: this.text(silent ? `${who}_silent` : `${who}_busy`) });
  }

  /** @param {UploadError["limits"]} limits @param {string} code */
  #limits({ min_size, max_size, allowed_types, used, limit }, code) {
    const amount = (/** @type {number | undefined} */ n) => n !== undefined && (code === "quota_exceeded" ? this.size(n) : this.number(n));
    return {
      used: amount(used) || undefined,
      limit: amount(limit) || undefined,
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
function failureName(error, { empty, online, justOver }) {
  const { code, from } = error;
  if (code === "network" || code === "bucket_unreachable") return networkName(from, online);
  if (code === "size_too_large" && justOver) return "size_just_over";
  if (code === "size_too_small" && empty) return "size_zero";
  return hasExpired(error) ? "grant_expired" : code;
}

/** @param {UploadError["from"]} from @param {boolean} online */
function networkName(from, online) {
  if (!online) return "offline";
  return from === "bucket" ? "storage_unreachable" : "server_unreachable";
}

/** @param {string} lang */
function canonical(lang) {
  try {
    return Intl.getCanonicalLocales(lang)[0] ?? "en";
  } catch {
    return "en"; // no language tag
  }
}

/** @param {string} lang */
const baseOf = (lang) => canonical(lang).split("-")[0];
