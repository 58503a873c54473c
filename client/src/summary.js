// What many files are together: how many are done, how fast, and how much longer.

import { make, update } from "./dom.js";
import { ICONS, icon } from "./icons.js";

/** @import { UploadItem } from "./upload-item.js" */
/** @import { Words } from "./words.js" */

/** @typedef {"pause_all" | "resume_all" | "retry_all" | "cancel_all"} AllAction */

const WINDOW = 8000; // ms of which the speed is the mean
const FIRST = 1000; // ms before there is one

/** The speed of what grows. */
export class Speed {
  /** @type {{ bytes: number, at: number }[]} */
  #samples = [];

  /**
   * Bytes a second, or 0 while that is not known.
   *
   * @param {number} bytes that there are now; fewer than before begins again
   * @param {number} at in ms
   */
  at(bytes, at) {
    const last = this.#samples.at(-1);
    if (last && (bytes < last.bytes || at - last.at > WINDOW)) this.#samples = [];
    this.#samples.push({ bytes, at });
    while (at - this.#samples[0].at > WINDOW) this.#samples.shift();
    const [first] = this.#samples;
    return at - first.at < FIRST ? 0 : ((bytes - first.bytes) * 1000) / (at - first.at);
  }

  stop() {
    this.#samples = [];
  }
}

/**
 * Adds up. What was cancelled or has failed is no part of the bytes.
 *
 * @param {UploadItem[]} items
 */
export function totalOf(items) {
  const total = { files: 0, done: 0, failed: 0, loaded: 0, size: 0, active: 0, paused: 0, retriable: 0, busy: 0 };
  for (const item of items) {
    const { state, size } = item;
    if (state !== "cancelled") total.files++;
    total.busy += Number(item.busy);
    total.active += Number(item.active);
    total.done += Number(state === "done");
    total.paused += Number(state === "paused");
    total.failed += Number(state === "failed");
    total.retriable += Number(item.mainAction === "retry");
    if (state === "failed" || state === "cancelled") continue;
    total.size += size;
    total.loaded += item.fraction * size;
  }
  return total;
}

/** @param {ReturnType<typeof totalOf>} total @returns {AllAction | ""} */
export function mainActionOf({ active, paused, retriable }) {
  if (active) return "pause_all";
  if (paused) return "resume_all";
  return retriable ? "retry_all" : "";
}

export class Summary {
  #speed = new Speed();
  #count = make("span", { part: "count" });
  #rate = make("span", { part: "rate" });
  #fill = make("div", { part: "fill" });
  #bar = make("div", { part: "bar", role: "progressbar" }, this.#fill);
  /** @type {AllAction | ""} */
  #action = "";
  #busy = false;
  /** @type {HTMLButtonElement} */
  #main;
  /** @type {HTMLButtonElement} */
  #end;

  /** @param {(action: AllAction) => void} onAll */
  constructor(onAll) {
    this.#main = make("button", { type: "button", onclick: () => this.#press(this.#action, onAll) }, icon());
    this.#end = make("button", { type: "button", onclick: () => this.#press(this.#busy ? "cancel_all" : "", onAll) }, icon());
    for (const button of [this.#main, this.#end]) button.onblur = () => (button.hidden = button.ariaDisabled === "true");
    this.element = make("div", { part: "summary", hidden: true },
      make("div", { className: "words" }, this.#count, this.#rate),
      make("div", { part: "actions" }, this.#main, this.#end),
      this.#bar);
  }

  set disabled(/** @type {boolean} */ disabled) {
    this.#main.disabled = this.#end.disabled = disabled;
  }

  /** @param {UploadItem[]} items @param {Words} words @param {number} now in ms */
  paint(items, words, now) {
    const total = totalOf(items);
    const fraction = total.size ? total.loaded / total.size : 0;
    const speed = total.active ? this.#speed.at(total.loaded, now) : this.#speed.stop();
    this.#action = mainActionOf(total);
    update(this.#count, { textContent: this.said(items, words) });
    update(this.#rate, { textContent: speed ? this.#pace(speed, total.size - total.loaded, words) : "", hidden: !total.busy });
    update(this.#bar, { ariaLabel: words.text("progress_all"), ariaValueNow: String(Math.floor(fraction * 100)), hidden: !total.busy });
    this.#fill.style.width = `${fraction * 100}%`;
    paintButton(this.#main, this.#action, words);
    this.#busy = total.busy > 0;
    paintButton(this.#end, this.#busy ? "cancel_all" : "", words);
  }

  // One that is only there for the focus does nothing.
  /** @param {AllAction | ""} action @param {(action: AllAction) => void} onAll */
  #press(action, onAll) {
    if (action) onAll(action);
  }

  /** "12 of 50 uploaded, 2 failed" @param {UploadItem[]} items @param {Words} words */
  said(items, words) {
    const { done, files, failed } = totalOf(items);
    const count = words.text("summary", { done: words.number(done), total: words.number(files) });
    return failed ? words.series([count, words.text("failures", { count: failed })]) : count;
  }

  /** @param {number} speed in bytes a second @param {number} left in bytes @param {Words} words */
  #pace(speed, left, words) {
    return `${words.speed(speed)} · ${words.text("left", { time: words.duration(left / speed) })}`;
  }
}

/**
 * One that has the focus stays where it is.
 *
 * @param {HTMLButtonElement} button
 * @param {AllAction | ""} action
 * @param {Words} words
 */
function paintButton(button, action, words) {
  const { activeElement } = /** @type {ShadowRoot} */ (button.getRootNode());
  update(button, { ariaDisabled: action ? null : "true", hidden: !action && activeElement !== button });
  if (!action) return;
  const kind = /** @type {keyof typeof ICONS} */ (action.replace("_all", ""));
  update(button.part, { value: `button ${kind}` });
  update(button, { title: words.text(action) });
  button.querySelector("path")?.setAttribute("d", ICONS[kind]);
}
