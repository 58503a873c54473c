// The page: files come in by the picker or by dropping, go through a queue, and
// each has a row that tells what becomes of it.

import { watchDrops } from "./drop.js";
import { keepLink } from "./link.js";
import { Queue } from "./queue.js";
import { Row, isActive } from "./row.js";
import { upload } from "./transport.js";
import { explain } from "./words.js";

const uploadsAtOnce = 3;

const find = (name) => document.querySelector(`[data-${name}]`);
const [section, list, summary, status, clear, notice] =
  ["files", "list", "summary", "status", "clear", "notice"].map(find);
const picker = document.getElementById("picker");
const queue = new Queue(uploadsAtOnce);
const rows = new Set();

picker.addEventListener("change", () => {
  addFiles([...picker.files]);
  picker.value = ""; // so that the same file can be chosen again
});

watchDrops(find("drop"), {
  files: addFiles,
  refused: () => warn("Folders can’t be uploaded. Drop the files inside instead."),
});

clear.addEventListener("click", () => {
  for (const row of [...rows]) if (!isActive(row.state)) forget(row);
  picker.focus();
});

// Leaving the page would cut what is still on its way.
window.addEventListener("beforeunload", (event) => {
  if ([...rows].some((row) => isActive(row.state))) event.preventDefault();
});

function addFiles(files) {
  warn("");
  for (const file of files) addFile(file);
}

function addFile(file) {
  let cancel;
  const row = new Row(file, {
    cancel: () => (isActive(row.state) ? cancel.abort() : forget(row)),
    retry: start,
  });
  rows.add(row);
  list.append(row.element);
  start();

  function start() {
    cancel = new AbortController();
    const { signal } = cancel;
    signal.addEventListener("abort", () => show(row, "cancelled", { retry: true }), { once: true });
    show(row, "waiting");
    queue.add(() => send(row, signal), signal);
  }
}

async function send(row, signal) {
  const tenant = currentTenant();
  row.tenant = tenant.name;
  show(row, "signing");
  try {
    const stored = await upload(row.file, {
      endpoint: "/uploads",
      headers: tenant.headers,
      signal,
      onProgress(done) {
        if (row.state === "signing") show(row, "uploading");
        row.progress(done);
      },
    });
    show(row, "done");
    row.progress(1);
    keepLink(stored.key, { headers: tenant.headers, show: (url) => row.link(url), wanted: () => rows.has(row) });
  } catch (error) {
    if (signal.aborted) return;
    const { text, retry } = explain(error, row.file);
    show(row, "failed", { message: text, retry });
    if (!error.from) console.error(error);
  }
}

function currentTenant() {
  const { value, dataset } = document.querySelector("input[name=tenant]:checked");
  const name = value[0].toUpperCase() + value.slice(1);
  return { name, headers: { Authorization: `Bearer ${dataset.token}` } };
}

function show(row, state, words) {
  row.show(state, words);
  if (state === "done") announce(`${row.file.name} is uploaded.`);
  if (state === "failed") announce(`${row.file.name} failed. ${words.message}`);
  if (state === "cancelled") announce(`${row.file.name} is cancelled.`);
  summarize();
}

function forget(row) {
  // Whoever works by keyboard goes on at the next file.
  const next = row.element.nextElementSibling ?? row.element.previousElementSibling;
  const focused = row.element.contains(document.activeElement);
  rows.delete(row);
  row.remove();
  summarize();
  if (focused) (next?.querySelector("[data-cancel]") ?? picker).focus();
}

function summarize() {
  const states = [...rows].map((row) => row.state);
  const count = (...wanted) => states.filter((state) => wanted.includes(state)).length;
  const failed = count("failed");
  section.hidden = states.length === 0;
  summary.textContent = `${count("done")} of ${states.length} uploaded${failed ? `, ${failed} failed` : ""}`;
  clear.hidden = states.every(isActive);
}

// announce is for screen readers: several files may end at the same moment.
function announce(text) {
  const line = document.createElement("span");
  line.textContent = `${text} `;
  status.append(line);
  setTimeout(() => line.remove(), 10_000);
}

function warn(text) {
  notice.textContent = text;
  notice.hidden = !text;
}
