// Stored is the list of a tenant's uploads, as the server remembers them. What it
// lists leaves the <postern-upload> beside it.

const template = document.getElementById("stored");

export class Stored {
  #uploads;
  #list;
  #heading;
  #headers;
  #items = new Map(); // by id
  #asked = Promise.resolve();
  #timer;

  // headers returns what authenticates a request.
  constructor(section, headers) {
    this.#uploads = section.querySelector("postern-upload");
    this.#list = section.querySelector("ul");
    this.#heading = section.querySelector("h2");
    this.#headers = headers;
  }

  // refresh asks for the uploads, one answer after the other.
  refresh() {
    this.#asked = this.#asked.then(() => this.#refresh());
  }

  async #refresh() {
    const complete = this.#uploads.value;
    const { files, expires_in = 30 } = await this.#ask();
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.refresh(), expires_in * 800); // before the links expire
    if (!files) return;
    for (const file of files.reverse()) { // the last is first
      if (!this.#items.has(file.id)) {
        this.#items.set(file.id, item(file));
        this.#list.prepend(this.#items.get(file.id));
      }
      this.#items.get(file.id).querySelector("a").href = file.url;
    }
    this.#heading.hidden = this.#items.size === 0;
    for (const key of complete) this.#uploads.dismiss(key);
  }

  async #ask() {
    try {
      const response = await fetch("/files", { headers: this.#headers() });
      return response.ok ? await response.json() : {};
    } catch {
      return {}; // the uploads are stored all the same
    }
  }
}

function item({ filename, size, completed }) {
  const element = template.content.firstElementChild.cloneNode(true);
  const [kind, name, bytes, time, open] =
    [".kind", ".name", ".size", "time", "a"].map((part) => element.querySelector(part));
  element.dataset.stored = filename;
  kind.textContent = filename.match(/\.(\w{1,4})$/)?.[1].toUpperCase() ?? "···";
  name.textContent = name.title = filename;
  bytes.textContent = formatSize(size);
  time.textContent = formatTime(new Date(completed));
  time.dateTime = new Date(completed).toISOString();
  open.setAttribute("aria-label", `Open ${filename} in a new tab`);
  return element;
}

function formatSize(bytes) {
  let unit = 0;
  for (; bytes >= 999.5 && unit < 3; unit++) bytes /= 1000;
  const units = ["byte", "kilobyte", "megabyte", "gigabyte"];
  return bytes.toLocaleString("en", {
    style: "unit", unit: units[unit], unitDisplay: unit ? "short" : "long", maximumFractionDigits: bytes < 99.95 ? 1 : 0,
  });
}

// formatTime tells when something was: the hour today, else the day.
function formatTime(time, now = new Date()) {
  if (time.toDateString() !== now.toDateString()) return time.toLocaleDateString("en", { dateStyle: "long" });
  return `Today, ${time.toLocaleTimeString("en", { hour: "2-digit", minute: "2-digit", hourCycle: "h23" })}`;
}
