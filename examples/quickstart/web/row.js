// Row is one file in the list: what it shows, not what happens to it.

import { formatSize } from "./words.js";

const template = document.getElementById("row");

const messages = {
  waiting: "Waiting",
  signing: "Starting",
  uploading: "Uploading",
  done: "Uploaded",
  cancelled: "Cancelled",
};

export class Row {
  #parts = {};
  #thumbURL;

  // actions: { cancel, retry }, called when the person asks for it.
  constructor(file, actions) {
    this.file = file;
    this.element = template.content.firstElementChild.cloneNode(true);
    for (const name of ["name", "size", "tenant", "message", "open", "retry", "cancel", "progress"]) {
      this.#parts[name] = this.element.querySelector(`[data-${name}]`);
    }
    const { name, size, open, retry, cancel, progress } = this.#parts;
    this.element.dataset.file = file.name;
    name.textContent = name.title = file.name;
    size.textContent = formatSize(file.size);
    open.setAttribute("aria-label", `Open ${file.name} in a new tab`);
    retry.setAttribute("aria-label", `Try ${file.name} again`);
    progress.setAttribute("aria-label", `Upload of ${file.name}`);
    retry.addEventListener("click", actions.retry);
    cancel.addEventListener("click", actions.cancel);
    this.#showThumb();
    this.show("waiting");
  }

  get state() {
    return this.element.dataset.state;
  }

  set tenant(name) {
    this.#parts.tenant.textContent = name;
  }

  // show sets the state. A failed upload has its own words, and may offer to retry.
  show(state, { message = messages[state], retry = false } = {}) {
    const { message: text, open, retry: again, cancel, progress } = this.#parts;
    this.element.dataset.state = state;
    text.textContent = message;
    text.title = state === "failed" ? message : "";
    open.hidden = true;
    again.hidden = !retry;
    const active = isActive(state);
    progress.hidden = !active && state !== "done";
    const label = `${active ? "Cancel" : "Remove"} ${this.file.name}`;
    cancel.setAttribute("aria-label", label);
    cancel.title = active ? "Cancel" : "Remove";
    if (state === "waiting") this.progress(0);
  }

  // progress takes a number from 0 to 1.
  progress(done) {
    const { progress, message } = this.#parts;
    // The last percent is the bucket's answer.
    const percent = this.state === "done" ? 100 : Math.min(99, Math.floor(done * 100));
    progress.setAttribute("aria-valuenow", percent);
    progress.style.setProperty("--done", `${percent}%`);
    if (this.state === "uploading") message.textContent = done < 1 ? `Uploading, ${percent} %` : "Finishing";
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
    const { type } = this.file;
    const kind = type.startsWith("image/")
      ? "image"
      : { "application/pdf": "pdf", "text/plain": "text" }[type] ?? "file";
    thumb.dataset.kind = kind;
    thumb.querySelector("use").setAttribute("href", `#icon-${kind}`);
    if (kind !== "image") return;
    this.#thumbURL = URL.createObjectURL(this.file);
    const image = new Image();
    image.alt = "";
    image.addEventListener("load", () => thumb.replaceChildren(image)); // else the icon stays
    image.src = this.#thumbURL;
  }
}

export const isActive = (state) => state === "waiting" || state === "signing" || state === "uploading";
