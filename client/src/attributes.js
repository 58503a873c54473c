// The properties of the element that are attributes, and what they are without them.

/** @import * as API from "../postern-upload.d.ts" */

/** Servers, which render pages, import the module and have no elements. @type {typeof HTMLElement} */
const Base = globalThis.HTMLElement ?? class {};

export class Attributes extends Base {
  get endpoint() {
    return this.getAttribute("endpoint") ?? "/uploads";
  }
  set endpoint(value) {
    this.setAttribute("endpoint", value);
  }

  get accept() {
    return this.getAttribute("accept") ?? "";
  }
  set accept(value) {
    this.setAttribute("accept", value);
  }

  get name() {
    return this.getAttribute("name") ?? "";
  }
  set name(value) {
    this.setAttribute("name", value);
  }

  get scope() {
    return this.getAttribute("scope") ?? "";
  }
  set scope(value) {
    this.setAttribute("scope", value);
  }

  /** @returns {API.PosternUpload["credentials"]} */
  get credentials() {
    return /** @type {API.PosternUpload["credentials"]} */ (this.getAttribute("credentials") ?? "");
  }
  set credentials(value) {
    this.setAttribute("credentials", value);
  }

  get multiple() {
    return this.hasAttribute("multiple");
  }
  set multiple(value) {
    this.toggleAttribute("multiple", Boolean(value));
  }

  get required() {
    return this.hasAttribute("required");
  }
  set required(value) {
    this.toggleAttribute("required", Boolean(value));
  }

  get disabled() {
    return this.hasAttribute("disabled");
  }
  set disabled(value) {
    this.toggleAttribute("disabled", Boolean(value));
  }

  get checksum() {
    return this.hasAttribute("checksum");
  }
  set checksum(value) {
    this.toggleAttribute("checksum", Boolean(value));
  }

  get unfinished() {
    return this.hasAttribute("unfinished");
  }
  set unfinished(value) {
    this.toggleAttribute("unfinished", Boolean(value));
  }

  get folder() {
    return this.hasAttribute("folder");
  }
  set folder(value) {
    this.toggleAttribute("folder", Boolean(value));
  }

  get compact() {
    return this.hasAttribute("compact");
  }
  set compact(value) {
    this.toggleAttribute("compact", Boolean(value));
  }

  get previews() {
    return this.hasAttribute("previews");
  }
  set previews(value) {
    this.toggleAttribute("previews", Boolean(value));
  }

  get leaveWarning() {
    return this.hasAttribute("leave-warning");
  }
  set leaveWarning(value) {
    this.toggleAttribute("leave-warning", Boolean(value));
  }

  get capture() {
    return this.getAttribute("capture") ?? "";
  }
  set capture(value) {
    this.setAttribute("capture", value);
  }

  get resize() {
    return this.#number("resize", 0);
  }
  set resize(value) {
    this.setAttribute("resize", String(value));
  }

  /** @returns {API.PosternUpload["convert"]} */
  get convert() {
    return /** @type {API.PosternUpload["convert"]} */ (this.getAttribute("convert") ?? "");
  }
  set convert(value) {
    this.setAttribute("convert", value);
  }

  get maxSize() {
    return this.#number("max-size", 0);
  }
  set maxSize(value) {
    this.setAttribute("max-size", String(value));
  }

  get keepSize() {
    return this.#number("keep-size", 0);
  }
  set keepSize(value) {
    this.setAttribute("keep-size", String(value));
  }

  get maxFiles() {
    return this.#number("max-files", 0);
  }
  set maxFiles(value) {
    this.setAttribute("max-files", String(value));
  }

  get concurrency() {
    return this.#number("concurrency", 0);
  }
  set concurrency(value) {
    this.setAttribute("concurrency", String(value));
  }

  // What is no number, or none above 0, is as if it were not there.
  /** @param {string} name @param {number} without */
  #number(name, without) {
    return Math.max(0, Number(this.getAttribute(name))) || without;
  }
}

/**
 * Takes over properties that a page has set before the element was defined.
 *
 * @param {Attributes} element
 * @param {string[]} others the names of properties that are no attributes
 */
export function takeOver(element, others) {
  const properties = /** @type {Record<string, unknown>} */ (/** @type {unknown} */ (element));
  for (const name of [...Object.getOwnPropertyNames(Attributes.prototype), ...others]) {
    if (!Object.hasOwn(properties, name)) continue;
    const value = properties[name];
    delete properties[name];
    properties[name] = value;
  }
}
