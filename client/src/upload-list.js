// The list of uploads, and what is announced of them.

import { make } from "./dom.js";
import { Row } from "./row.js";

/** @import { UploadItem } from "./upload-item.js" */
/** @import { Words } from "./words.js" */

const ANNOUNCED = 10_000; // ms that an announcement stays, for screen readers to take it

export class UploadList {
  /** In the order of the list. @type {Map<UploadItem, Row>} */
  #rows = new Map();
  #list = make("ul", { part: "list", role: "list", hidden: true });
  #status = make("div", { role: "status", ariaAtomic: "false" }); // else all of it is read each time
  #told;
  #words;

  /**
   * @param {Words} words
   * @param {{ onMain: (item: UploadItem) => void, onEnd: (item: UploadItem) => void }} told of an item's buttons
   */
  constructor(words, told) {
    this.#words = words;
    this.#told = told;
  }

  /** What belongs on the page, in its order. */
  get elements() {
    return [this.#list, this.#status];
  }

  get items() {
    return [...this.#rows.keys()];
  }

  /** @param {UploadItem} item */
  has(item) {
    return this.#rows.has(item);
  }

  /** @param {UploadItem} item @param {{ disabled: boolean }} buttons */
  insert(item, { disabled }) {
    const { onMain, onEnd } = this.#told;
    const row = new Row(item, { disabled, onMain: () => onMain(item), onEnd: () => onEnd(item) });
    this.#rows.set(item, row);
    this.#list.append(row.element);
    this.#list.hidden = false;
    row.paint(this.#words);
  }

  /** @param {UploadItem} item */
  remove(item) {
    this.#rows.get(item)?.remove();
    this.#rows.delete(item);
    this.#list.hidden = !this.#rows.size;
  }

  /** Shows what has changed about an item. @param {UploadItem} item */
  paint(item) {
    this.#rows.get(item)?.paint(this.#words);
  }

  paintAll() {
    for (const row of this.#rows.values()) row.paint(this.#words);
  }

  /** @param {Words} words */
  translate(words) {
    this.#words = words;
    this.#list.ariaLabel = words.text("list");
    this.paintAll();
  }

  /** Tells screen readers what an item says. @param {UploadItem} item */
  announce(item) {
    const line = make("span", {}, `${item.name}: ${this.#rows.get(item)?.message} `);
    this.#status.append(line);
    setTimeout(() => line.remove(), ANNOUNCED);
  }

  /** @param {UploadItem} item */
  hasFocus(item) {
    return this.#rows.get(item)?.focused ?? false;
  }

  /** The row after an item's, or before it, if there is one. @param {UploadItem} item */
  neighbourOf(item) {
    const items = this.items;
    const at = items.indexOf(item);
    return this.#rows.get(items[at + 1] ?? items[at - 1]);
  }
}
