// Row is one file in the list: what it shows, not what happens to it.

import { formatSize } from "./words.js";

const template = document.getElementById("row");

const messages = {
  waiting: "Waiting",
  signing: "Starting",
  unfinished: "Choose the file again to continue",
  done: "Uploaded",
  cancelled: "Cancelled",
};

export class Row {
  #parts = {};
  #file;
  #thumbURL;
  #percent = 0;
  #resumable = false;

  // actions: { cancel, pause, start, choose }, called when the person asks for it.
  constructor(file, tenant, actions) {
    this.tenant = tenant;
    this.element = template.content.firstElementChild.cloneNode(true);
    const names = ["name", "size", "tenant", "message", "open", "retry", "resume", "pause", "choose", "cancel", "progress"];
    for (const name of names) this.#parts[name] = this.element.querySelector(`[data-${name}]`);
    const { name, open, retry, resume, pause, choose, cancel, progress } = this.#parts;
    this.element.dataset.file = file.name;
    name.textContent = name.title = file.name;
    this.#parts.size.textContent = formatSize(file.size);
    this.#parts.tenant.textContent = tenant.name;
    const label = (element, text) => element.setAttribute("aria-label", text);
    label(open, `Open ${file.name} in a new tab`);
    label(retry, `Try ${file.name} again`);
    label(resume, `Resume ${file.name}`);
    label(pause, `Pause ${file.name}`);
    label(choose, `Choose ${file.name} again`);
    label(progress, `Upload of ${file.name}`);
    retry.addEventListener("click", actions.start);
    resume.addEventListener("click", actions.start);
    pause.addEventListener("click", actions.pause);
    choose.addEventListener("click", actions.choose);
    cancel.addEventListener("click", actions.cancel);
    this.file = file;
    this.show("waiting");
  }

  get state() {
    return this.element.dataset.state;
  }

  get file() {
    return this.#file;
  }

  // A file may take the place of what is remembered of it.
  set file(file) {
    this.#file = file;
    this.#showThumb();
  }

  // resumable tells whether pausing keeps what was sent.
  set resumable(can) {
    this.#resumable = can;
    this.#parts.pause.hidden = !can || this.state !== "uploading";
  }

  // show sets the state. A failed upload has its own words, and may offer to retry.
  show(state, { message, retry = state === "cancelled" } = {}) {
    const { message: text, open, retry: again, resume, pause, choose, cancel, progress } = this.#parts;
    const held = document.activeElement;
    this.element.dataset.state = state;
    text.title = message ?? "";
    open.hidden = true;
    again.hidden = !retry;
    resume.hidden = state !== "paused";
    pause.hidden = state !== "uploading" || !this.#resumable;
    choose.hidden = state !== "unfinished";
    progress.hidden = state === "failed" || state === "cancelled";
    if (this.element.contains(held) && held.hidden) (resume.hidden ? cancel : resume).focus();
    const label = state === "done" || state === "failed" || state === "cancelled" ? "Remove" : "Cancel";
    cancel.setAttribute("aria-label", `${label} ${this.file.name}`);
    cancel.title = label;
    if (state === "cancelled") this.progress(0);
    this.tell(message);
  }

  // progress takes a number from 0 to 1.
  progress(done) {
    const { progress } = this.#parts;
    // The last percent is the server's answer.
    this.#percent = this.state === "done" ? 100 : Math.min(99, Math.floor(done * 100));
    progress.setAttribute("aria-valuenow", this.#percent);
    progress.style.setProperty("--done", `${this.#percent}%`);
    if (this.state === "uploading" || this.state === "paused") this.tell();
  }

  // tell puts the state into words.
  tell(message = this.#words()) {
    const { message: text } = this.#parts;
    if (message) text.textContent = message;
  }

  #words() {
    switch (this.state) {
      case "uploading":
        if (!navigator.onLine) return "Offline, goes on when you are connected";
        return this.#percent < 99 ? `Uploading, ${this.#percent} %` : "Finishing";
      case "paused":
        return `Paused at ${this.#percent} %`;
    }
    return messages[this.state];
  }

  // link shows where the stored file can be seen.
  link(url) {
    this.#parts.open.href = url;
    this.#parts.open.hidden = false;
  }

  remove() {
    if (this.#thumbURL) URL.revokeObjectURL(this.#thumbURL);
    this.element.remove();
  }

  #showThumb() {
    const thumb = this.element.querySelector(".thumb");
    if (showKind(thumb, this.file.type) !== "image" || !(this.file instanceof Blob)) return;
    this.#thumbURL = URL.createObjectURL(this.file);
    const image = new Image();
    image.alt = "";
    image.addEventListener("load", () => thumb.replaceChildren(image)); // else the icon stays
    image.src = this.#thumbURL;
  }
}

// showKind gives a thumbnail the icon of a type, and returns its kind.
export function showKind(thumb, type) {
  const [family] = type.split("/");
  const kind = { image: "image", video: "video" }[family]
    ?? { "application/pdf": "pdf", "text/plain": "text", "application/zip": "zip" }[type]
    ?? "file";
  thumb.dataset.kind = kind;
  thumb.querySelector("use")?.setAttribute("href", `#icon-${kind}`);
  return kind;
}

export const isActive = (state) => state === "waiting" || state === "signing" || state === "uploading";
