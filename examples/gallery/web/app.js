// Uploads what is chosen or dropped, and shows what has arrived.

import { upload } from "/client/postern.js";

const atOnce = 3;

const find = (id) => document.getElementById(id);
const [picker, uploads, status] = ["picker", "uploads", "status"].map(find);
const waiting = [];
let running = 0;

picker.addEventListener("change", () => {
  add(picker.files);
  picker.value = ""; // so that the same file can be chosen again
});

// A photo may be dropped anywhere: beside the zone it would replace the page.
for (const type of ["dragover", "dragleave", "drop"]) {
  document.addEventListener(type, (event) => {
    if (!event.dataTransfer.types.includes("Files")) return;
    event.preventDefault();
    find("drop").classList.toggle("over", type === "dragover");
    if (type === "drop") add(event.dataTransfer.files);
  });
}

// Leaving the page would cut what is still on its way.
window.addEventListener("beforeunload", (event) => {
  if (running) event.preventDefault();
});

function add(files) {
  for (const file of files) waiting.push(new Row(file));
  while (running < atOnce && waiting.length) work();
}

async function work() {
  running++;
  while (waiting.length) await waiting.shift().send();
  running--;
}

// Row shows one upload, until it has become a photo.
class Row {
  constructor(file) {
    this.file = file;
    this.abort = new AbortController();
    this.name = element("span", { className: "name", textContent: file.name });
    this.progress = element("progress", { max: 1, value: 0, ariaLabel: `Upload of ${file.name}` });
    this.message = element("span", { className: "message" });
    this.button = element("button", { type: "button", className: "button", textContent: "Cancel", ariaLabel: `Cancel ${file.name}` });
    this.button.addEventListener("click", () => {
      this.abort.abort();
      this.element.remove();
      picker.focus();
    });
    this.element = element("li", { className: "upload" });
    this.element.dataset.file = file.name;
    this.element.append(this.name, this.progress, this.message, this.button);
    uploads.append(this.element);
  }

  async send() {
    const { signal } = this.abort;
    if (signal.aborted) return;
    try {
      await upload(this.file, {
        endpoint: "/uploads",
        store: null, // photos are small: nothing is kept of one that was cut off
        signal,
        onProgress: ({ loaded, total }) => (this.progress.value = loaded / total),
      });
      await refresh().catch(() => {}); // the photo is there all the same
      this.element.remove();
      status.textContent = `${this.file.name} is uploaded.`;
    } catch (error) {
      if (!signal.aborted) this.fail(error);
    }
  }

  fail(error) {
    const text = explain(error);
    this.element.dataset.failed = error.code;
    this.progress.remove();
    this.message.textContent = text;
    this.button.textContent = "Dismiss";
    this.button.ariaLabel = `Dismiss ${this.file.name}`;
    status.textContent = `${this.file.name} failed. ${text}`;
  }
}

function explain(error) {
  switch (error.code) {
    case "unauthenticated":
      return "You are signed out. Reload the page to sign in again.";
    case "size_too_large":
      return `Your plan allows photos up to ${error.limits.max_size / 1e6} MB.`;
    case "type_not_allowed":
    case "content_mismatch":
      return "This is not a photo of an accepted type.";
    case "network":
      return "The network failed. Try again.";
  }
  return error.detail || "Something went wrong. Try again.";
}

// refresh takes what is new from the page as it is now.
async function refresh() {
  const response = await fetch("/");
  if (!response.ok) return;
  const page = new DOMParser().parseFromString(await response.text(), "text/html");
  const [now, next] = [find("photos"), page.getElementById("photos")];
  const list = now.querySelector(".photos");
  if (!next) return location.reload(); // signed out by now
  if (!list) return now.replaceWith(next);
  for (const photo of [...next.querySelectorAll("[data-photo]")].reverse()) {
    if (!list.querySelector(`[data-photo="${photo.dataset.photo}"]`)) list.prepend(photo);
  }
}

const element = (name, properties) => Object.assign(document.createElement(name), properties);
