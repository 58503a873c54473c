// The list of uploads, and what is announced of them. Of many files it shows those
// that people look for, and folds the others away.

import { make, update } from "./dom.js";
import { Row } from "./row.js";
import { Summary } from "./summary.js";

/** @import { State, UploadItem } from "./upload-item.js" */
/** @import { Words } from "./words.js" */

const ANNOUNCED = 10_000; // ms that an announcement stays, for screen readers to take it
const BETWEEN = 5000; // ms from one announcement of many files to the next
const CALM = 250; // ms from one look at the whole list to the next
const FEW = 3; // files that need no summary
const OFTEN = 100; // ms from one painting of many files' rows to the next
const SHOWN = 8; // rows before the others are folded away
const MORE = 50; // rows that a person asks for at once

/** Which are shown rather. @type {readonly State[]} */
const ORDER = ["uploading", "failed", "unfinished", "paused", "waiting", "cancelled", "done"];

export class UploadList {
  /** In the order of the list. @type {Map<string | UploadItem, UploadItem>} */
  #items = new Map();
  /** Those that are shown. @type {Map<UploadItem, Row>} */
  #rows = new Map();
  #limit = SHOWN;
  #summary;
  #list = make("ul", { part: "list", role: "list", hidden: true });
  #more = make("button", { type: "button", part: "more", onclick: () => this.#show(this.#limit + MORE) });
  #fewer = make("button", { type: "button", part: "fewer", onclick: () => this.#show(SHOWN) });
  #folds = make("div", { part: "folds", hidden: true }, this.#more, this.#fewer);
  #status = make("div", { role: "status", ariaAtomic: "false" }); // else all of it is read each time
  /** @type {Set<Row>} */
  #changed = new Set();
  #painting = false; // soon
  #looked = 0; // when
  #disabled = false;
  #previews = false;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #look;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #saying;
  #told;
  #words;

  /**
   * @param {Words} words
   * @param {object} told of buttons
   * @param {(item: UploadItem) => void} told.onMain
   * @param {(item: UploadItem) => void} told.onEnd
   * @param {(action: import("./summary.js").AllAction) => void} told.onAll
   */
  constructor(words, told) {
    this.#words = words;
    this.#told = told;
    this.#summary = new Summary(told.onAll);
  }

  /** What belongs on the page, in its order. */
  get elements() {
    return [this.#summary.element, this.#list, this.#folds, this.#status];
  }

  get items() {
    return [...this.#items.values()];
  }

  get size() {
    return this.#items.size;
  }

  /** Whether more than images are to be seen. */
  set previews(/** @type {boolean} */ previews) {
    if (previews === this.#previews) return;
    this.#previews = previews;
    for (const item of this.#rows.keys()) this.#hide(item);
    if (this.size) this.#fold();
  }

  set disabled(/** @type {boolean} */ disabled) {
    this.#disabled = disabled;
    for (const row of this.#rows.values()) row.disabled = disabled;
    for (const button of [this.#more, this.#fewer]) button.disabled = disabled;
    this.#summary.disabled = disabled;
  }

  /** @param {UploadItem} item */
  has(item) {
    return this.#items.get(keyOf(item)) === item;
  }

  /** The item of the same file. @param {string} key */
  find(key) {
    return this.#items.get(key);
  }

  /** @param {UploadItem} item */
  insert(item) {
    this.#items.set(keyOf(item), item);
    this.#count();
    if (this.#rows.size < this.#limit) this.#list.append(this.#rowOf(item).element);
    else if (this.#folds.hidden) this.#fold();
    this.#lookSoon();
  }

  /** @param {UploadItem} item */
  remove(item) {
    this.#items.delete(keyOf(item));
    this.#hide(item);
    this.#count();
    if (!this.#items.size) this.#limit = SHOWN;
    this.#lookSoon();
  }

  // What is under the list moves when a file comes or goes, and not a while later.
  #count() {
    const many = this.#items.size > FEW;
    this.#list.hidden = !this.#items.size;
    this.#list.classList.toggle("many", many); // nothing moves by itself
    if (this.#summary.element.hidden === many) this.#summarize();
  }

  /** Shows the state that an item has come to, of many files soon. @param {UploadItem} item */
  paint(item) {
    if (this.#items.size > FEW) this.progress(item);
    else this.#rows.get(item)?.paint(this.#words);
    this.#lookSoon();
  }

  /** Shows how far an item is, with the next frame, or of many files soon. @param {UploadItem} item */
  progress(item) {
    const row = this.#rows.get(item);
    if (!row) return;
    this.#changed.add(row);
    if (this.#painting) return;
    this.#painting = true;
    const paint = () => {
      this.#painting = false;
      for (const changed of this.#changed) changed.paint(this.#words);
      this.#changed.clear();
    };
    if (this.#items.size > FEW) setTimeout(paint, OFTEN);
    else requestAnimationFrame(paint);
  }

  paintAll() {
    for (const row of this.#rows.values()) row.paint(this.#words);
    this.#lookSoon();
  }

  /** @param {Words} words */
  translate(words) {
    this.#words = words;
    this.#list.ariaLabel = words.text("list");
    this.#fewer.textContent = words.text("fewer");
    this.paintAll();
  }

  /** Tells screen readers what an item says, or how far many files are. @param {UploadItem} item */
  announce(item) {
    if (this.#items.size <= FEW) {
      this.#say(`${item.name}: ${this.#rows.get(item)?.message} `);
      return;
    }
    const over = !this.items.some(({ active }) => active);
    if (over) clearTimeout(this.#saying);
    else if (this.#saying) return;
    this.#saying = setTimeout(() => {
      this.#saying = undefined;
      this.#status.replaceChildren();
      if (this.#items.size > FEW) this.#say(this.#summary.said(this.items, this.#words));
    }, over ? 0 : BETWEEN);
  }

  /** @param {string} text */
  #say(text) {
    const line = make("span", {}, text);
    this.#status.append(line);
    setTimeout(() => line.remove(), ANNOUNCED);
  }

  /** @param {UploadItem} item */
  hasFocus(item) {
    return this.#rows.get(item)?.focused ?? false;
  }

  /** The row after an item's, or before it, if there is one. @param {UploadItem} item */
  neighbourOf(item) {
    const element = this.#rows.get(item)?.element;
    const beside = element?.nextElementSibling ?? element?.previousElementSibling;
    for (const row of this.#rows.values()) if (row.element === beside) return row;
    return undefined;
  }

  /** @param {UploadItem} item */
  #rowOf(item) {
    const { onMain, onEnd } = this.#told;
    const row = new Row(item, {
      disabled: this.#disabled,
      previews: this.#previews,
      passing: this.#items.size > this.#limit,
      onMain: () => onMain(item),
      onEnd: () => onEnd(item),
    });
    this.#rows.set(item, row);
    row.paint(this.#words);
    return row;
  }

  /** @param {UploadItem} item */
  #hide(item) {
    const row = this.#rows.get(item);
    if (!row) return;
    row.remove();
    this.#rows.delete(item);
    this.#changed.delete(row);
  }

  // At once, if that has not been for a while: many changes are one look.
  #lookSoon() {
    if (this.#look) return;
    this.#look = setTimeout(() => {
      this.#look = undefined;
      this.#looked = performance.now();
      this.#fold();
      this.#summarize();
      if (!this.#more.hidden && [...this.#rows.values()].some(({ fresh }) => fresh)) this.#lookSoon();
    }, Math.max(0, this.#looked + CALM - performance.now()));
  }

  #summarize() {
    const items = this.items;
    this.#summary.element.hidden = items.length <= FEW;
    if (items.length <= FEW) return;
    this.#summary.paint(items, this.#words, performance.now());
    if (items.some(({ state }) => state === "uploading")) this.#lookSoon();
  }

  #fold() {
    const chosen = this.#chosen();
    for (const item of this.#rows.keys()) if (!chosen.has(item)) this.#hide(item);
    let at = this.#list.firstElementChild;
    for (const item of chosen) { // in the list's order, in which the rows are
      const element = (this.#rows.get(item) ?? this.#rowOf(item)).element;
      if (element === at) at = at.nextElementSibling;
      else this.#list.insertBefore(element, at);
    }
    const folded = this.#items.size - chosen.size;
    update(this.#more, { hidden: !folded, textContent: this.#words.text("more", { count: folded }) });
    this.#fewer.hidden = chosen.size <= SHOWN || this.#limit === SHOWN;
    this.#folds.hidden = this.#more.hidden && this.#fewer.hidden;
  }

  // What is being used stays, whatever becomes of it, and what was shown a moment ago.
  #chosen() {
    const items = this.items;
    if (items.length <= this.#limit) return new Set(items);
    /** @type {{ item: UploadItem, at: number, rank: number, next: number }[]} */
    const ranked = items.map((item, at) => {
      const row = this.#rows.get(item);
      let rank = ORDER.indexOf(item.state);
      if (row?.fresh) rank = -1;
      if (row?.inUse) rank = -2;
      const next = item.state === "failed" ? -at : at + (row ? 0 : items.length); // of failures, the last
      return { item, at, rank, next };
    });
    ranked.sort((a, b) => a.rank - b.rank || a.next - b.next);
    return new Set(ranked.slice(0, this.#limit).sort((a, b) => a.at - b.at).map(({ item }) => item));
  }

  /** @param {number} limit */
  #show(limit) {
    const { activeElement } = /** @type {ShadowRoot} */ (this.#list.getRootNode());
    this.#limit = limit;
    this.#fold();
    if (activeElement === this.#more && this.#more.hidden) this.#fewer.focus();
    if (activeElement === this.#fewer && this.#fewer.hidden) this.#more.focus();
  }
}

// Of a receipt that was kept there is no file to tell it apart by.
/** @param {UploadItem} item */
const keyOf = (item) => item.key || item;
