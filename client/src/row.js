// The row of one upload in the list.

import { make, update } from "./dom.js";
import { ICONS, icon } from "./icons.js";
import { isolated, splitName } from "./names.js";

/** @import { Action, UploadItem } from "./upload-item.js" */
/** @import { TextName, Words } from "./words.js" */

const STAY = 1000; // ms that a row stays, once it is shown
const SOON = 200; // ms after which it shows a picture: to ask for grants comes first
const GLIMPSE = 1500; // the same, of one that may have been passing by

export class Row {
  #item;
  #since = performance.now();
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #later;
  #url = ""; // of the preview
  #preview = make("div", { part: "preview", ariaHidden: "true" });
  #weight = make("span", {});
  #message = make("span", { part: "message" });
  #fill = make("div", { part: "fill" });
  #bar = make("div", { part: "bar", role: "progressbar" }, this.#fill);
  #main;
  #end;

  /**
   * @param {UploadItem} item
   * @param {object} given
   * @param {boolean} given.disabled
   * @param {boolean} given.previews
   * @param {boolean} given.passing whether it may soon give its place to another
   * @param {() => void} given.onMain
   * @param {() => void} given.onEnd
   */
  constructor(item, { disabled, previews, passing, onMain, onEnd }) {
    const { name } = item;
    this.#item = item;
    this.#main = make("button", { type: "button", disabled, onclick: onMain }, icon());
    this.#main.onblur = () => (this.#main.hidden = !item.mainAction);
    this.#end = make("button", { type: "button", disabled, onclick: onEnd }, icon());
    this.#preview.append(name.match(/\.(\w{1,4})$/)?.[1].toUpperCase() ?? "···");
    this.element = make("li", {}, this.#preview,
      make("div", { className: "words" },
        make("span", { part: "name", title: name }, make("bdi", { dir: "auto" }, ...this.#halves())),
        make("span", { part: "detail" }, this.#weight, this.#message)),
      make("div", { part: "actions" }, this.#main, this.#end),
      this.#bar);
    this.#later = setTimeout(() => this.#showImage() || (previews && this.#showOther()), passing ? GLIMPSE : SOON);
  }

  get message() {
    return this.#message.textContent;
  }

  /** Whether the focus is in it. */
  get focused() {
    return this.element.contains(focusedIn(this.element));
  }

  /** Whether somebody is about to do something with it. */
  get inUse() {
    return this.focused || this.element.matches(":hover");
  }

  /** Whether there was no time yet to read it. */
  get fresh() {
    return performance.now() - this.#since < STAY;
  }

  set disabled(/** @type {boolean} */ disabled) {
    this.#main.disabled = this.#end.disabled = disabled;
  }

  /** Puts the focus on the button that is always there. */
  focus() {
    this.#end.focus();
  }

  remove() {
    this.element.remove();
    clearTimeout(this.#later);
    this.#release();
  }

  /** @param {Words} words */
  paint(words) {
    const { name, state, size, fraction, percent, mainAction, endAction } = this.#item;
    update(this.element.part, { value: `file ${state}` });
    update(this.#weight, { textContent: words.size(size) });
    update(this.#message, { textContent: this.#say(words) });
    update(this.#bar, { ariaLabel: words.text("progress", { name: isolated(name) }), ariaValueNow: String(percent) });
    this.#fill.style.width = `${fraction * 100}%`;
    paintButton(this.#main, mainAction, words, name);
    paintButton(this.#end, endAction, words, name);
    // The focus stays where it is: another button under it would do what nobody meant.
    update(this.#main, { ariaDisabled: mainAction ? null : "true", hidden: !mainAction && focusedIn(this.element) !== this.#main });
  }

  #halves() {
    const [stem, tail] = splitName(this.#item.name);
    return [make("span", {}, stem), make("span", {}, tail)];
  }

  /** @param {Words} words */
  #say(words) {
    const { state, error, size, percent, fraction, retrying, elsewhere } = this.#item;
    const online = navigator.onLine;
    if (error) return words.failure(error, { size, online });
    if (state === "failed" || state === "removed") return "";
    if (state !== "uploading") return words.text(state, { percent: words.number(percent) });
    if (online && retrying) return words.hope(retrying);
    return words.text(progressText({ online, elsewhere, fraction }), { percent: words.number(percent) });
  }

  // Shows what browsers can show of the file; until then its extension stays.
  #showImage() {
    const { file, type } = this.#item;
    if (!(file instanceof Blob) || !type.startsWith("image/")) return false;
    this.#url = URL.createObjectURL(file);
    const image = make("img", { alt: "", loading: "lazy", src: this.#url });
    image.onload = () => {
      this.#release();
      this.#preview.replaceChildren(image);
    };
    image.onerror = () => {
      this.#release();
      image.remove();
    };
    this.#preview.append(image);
    return true;
  }

  // The first picture of a video, and the first page of a PDF, by the browser's own means.
  #showOther() {
    const { file, type } = this.#item;
    if (!(file instanceof Blob)) return;
    if (type.startsWith("video/")) {
      this.#url = URL.createObjectURL(file);
      const video = make("video", { muted: true, playsInline: true, preload: "metadata", src: `${this.#url}#t=0.1` });
      video.onloadeddata = () => this.#preview.replaceChildren(video);
      video.onerror = () => this.#release();
      video.load();
    } else if (type === "application/pdf" && navigator.pdfViewerEnabled) {
      this.#url = URL.createObjectURL(file);
      this.#preview.replaceChildren(make("iframe", { inert: true, title: "", src: `${this.#url}#toolbar=0&view=Fit` }));
    }
  }

  #release() {
    URL.revokeObjectURL(this.#url);
  }
}

/** @param {Element} element */
function focusedIn(element) {
  const root = element.getRootNode();
  return root instanceof ShadowRoot ? root.activeElement : null;
}

/** @param {{ online: boolean, elsewhere: boolean, fraction: number }} item @returns {TextName} */
function progressText({ online, elsewhere, fraction }) {
  if (!online) return "disconnected";
  if (elsewhere) return "elsewhere";
  return fraction < 1 ? "uploading" : "finishing";
}

/**
 * @param {HTMLButtonElement} button
 * @param {Action | ""} action
 * @param {Words} words
 * @param {string} name of the file
 */
function paintButton(button, action, words, name) {
  if (!action) return;
  update(button.part, { value: `button ${action}` });
  update(button, { title: words.text(action, { name: isolated(name) }) });
  button.querySelector("path")?.setAttribute("d", ICONS[action]);
}
