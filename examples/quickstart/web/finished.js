// The finished uploads, as the server remembers them. Those that still have a row
// above are left out, and get their links from here.

import { formatSize, formatTime } from "./words.js";
import { showKind } from "./row.js";

const template = document.getElementById("stored");

export class Finished {
  #section;
  #current;
  #rows;
  #files = new Map(); // of each tenant
  #timers = new Map();

  // current returns the tenant whose uploads are shown; rows are those above.
  constructor(section, { tenant, rows }) {
    this.#section = section;
    this.#current = tenant;
    this.#rows = rows;
  }

  // refresh asks for a tenant's uploads, and again before their links expire.
  async refresh(tenant) {
    let seconds = 30;
    try {
      const response = await fetch("/files", { headers: tenant.headers() });
      if (response.ok) {
        const { files, expires_in } = await response.json();
        this.#files.set(tenant.id, files);
        seconds = expires_in * 0.8;
      }
    } catch {
      // The uploads are stored all the same.
    }
    clearTimeout(this.#timers.get(tenant.id));
    this.#timers.set(tenant.id, setTimeout(() => this.refresh(tenant), seconds * 1000));
    this.show();
  }

  show() {
    const shown = new Set();
    for (const row of this.#rows) {
      const { id } = row.receipt ?? {};
      const file = this.#files.get(row.tenant.id)?.find((file) => file.id === id);
      if (file) row.link(file.url);
      shown.add(id);
    }
    const files = (this.#files.get(this.#current().id) ?? []).filter(({ id }) => !shown.has(id));
    this.#section.querySelector("ul").replaceChildren(...files.map(item));
    this.#section.hidden = files.length === 0;
  }
}

function item({ filename, type, size, completed, url }) {
  const element = template.content.firstElementChild.cloneNode(true);
  const part = (name) => element.querySelector(`[data-${name}]`);
  element.dataset.stored = filename;
  part("name").textContent = part("name").title = filename;
  part("size").textContent = formatSize(size);
  part("time").textContent = formatTime(completed);
  part("time").dateTime = new Date(completed).toISOString();
  part("open").href = url;
  part("open").setAttribute("aria-label", `Open ${filename} in a new tab`);
  showKind(element.querySelector(".thumb"), type);
  return element;
}
