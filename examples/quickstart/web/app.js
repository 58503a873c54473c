// The page: files come in by the picker or by dropping, go through a queue, and
// each has a row that tells what becomes of it. The uploading is done by Postern's
// own module.

import { PAUSE, discard, unfinished, upload } from "/client/postern.js";
import { watchDrops } from "./drop.js";
import { Finished } from "./finished.js";
import { Queue } from "./queue.js";
import { Row, isActive } from "./row.js";
import { explain } from "./words.js";

const endpoint = "/uploads";
const uploadsAtOnce = 3;

const find = (name) => document.querySelector(`[data-${name}]`);
const [section, list, summary, status, clear, notice] =
  ["files", "list", "summary", "status", "clear", "notice"].map(find);
const picker = document.getElementById("picker");
const queue = new Queue(uploadsAtOnce);
const rows = new Set();
const finished = new Finished(find("finished"), { tenant: currentTenant, rows });

picker.addEventListener("change", () => {
  addFiles([...picker.files]);
  picker.value = ""; // so that the same file can be chosen again
});

watchDrops(find("drop"), {
  files: addFiles,
  refused: () => warn("Folders can’t be uploaded. Drop the files inside instead."),
});

clear.addEventListener("click", () => {
  for (const row of [...rows]) if (!isActive(row.state) && !canGoOn(row)) drop(row);
  finished.show();
  picker.focus();
});

find("tenants").addEventListener("change", () => {
  for (const row of [...rows]) if (row.state === "unfinished") forget(row);
  showUnfinished();
  finished.refresh(currentTenant());
});

for (const type of ["online", "offline"]) {
  addEventListener(type, () => rows.forEach((row) => row.tell()));
}

// Leaving the page would cut what is still on its way.
window.addEventListener("beforeunload", (event) => {
  if ([...rows].some((row) => isActive(row.state))) event.preventDefault();
});

function addFiles(files) {
  warn("");
  for (const file of files) {
    const waiting = [...rows].find((row) => row.state === "unfinished" && isSame(row.file, file));
    if (waiting) {
      waiting.file = file;
      start(waiting);
    } else {
      start(addRow(file));
    }
  }
}

// showUnfinished brings back what was cut off when the page was left. The browser
// does not keep the files: they must be chosen again, unless all was sent.
function showUnfinished() {
  const tenant = currentTenant();
  for (const item of unfinished({ endpoint, scope: tenant.id })) {
    if ([...rows].some((row) => row.tenant.id === tenant.id && isSame(row.file, item))) continue;
    const row = addRow(item);
    if (item.loaded === item.size) start(row);
    else {
      show(row, "unfinished");
      row.progress(item.loaded / item.size);
    }
  }
}

function addRow(file) {
  const row = new Row(file, currentTenant(), {
    cancel: () => cancel(row),
    pause: () => row.controller.abort(PAUSE),
    start: () => start(row),
    choose: () => picker.click(),
  });
  rows.add(row);
  list.append(row.element);
  return row;
}

function start(row) {
  row.controller = new AbortController();
  const { signal } = row.controller;
  signal.addEventListener("abort", () => show(row, signal.reason === PAUSE ? "paused" : "cancelled"), { once: true });
  show(row, "waiting");
  queue.add(() => send(row, signal), signal);
}

// cancel gives up what is on its way, and removes any other row.
function cancel(row) {
  if (isActive(row.state)) row.controller.abort();
  else drop(row);
}

// drop removes a row, and gives up what could still go on.
function drop(row) {
  if (row.state !== "done") discard(row.file, optionsOf(row));
  forget(row);
}

async function send(row, signal) {
  show(row, "signing");
  try {
    row.receipt = await upload(row.file, {
      ...optionsOf(row),
      signal,
      onProgress({ loaded, total, resumable }) {
        if (signal.aborted) return;
        row.resumable = resumable;
        if (row.state === "signing") show(row, "uploading");
        row.progress(loaded / total);
      },
    });
    show(row, "done");
    row.progress(1);
    finished.refresh(row.tenant);
  } catch (error) {
    if (error.code === "paused") showKept(row);
    if (signal.aborted) return;
    if (error.code === "file_needed") return show(row, "unfinished");
    const { text, retry } = explain(error, row.file);
    show(row, "failed", { message: text, retry });
    if (!error.from) console.error(error);
  }
}

// showKept shows how much of a paused upload has arrived: what was on its way is
// sent again.
function showKept(row) {
  const kept = unfinished(optionsOf(row)).find((item) => isSame(item, row.file));
  row.progress(kept ? kept.loaded / kept.size : 0);
}

const optionsOf = ({ tenant }) => ({ endpoint, scope: tenant.id, headers: () => tenant.headers() });

function currentTenant() {
  const input = document.querySelector("input[name=tenant]:checked");
  return {
    id: input.value,
    name: input.value[0].toUpperCase() + input.value.slice(1),
    headers: () => ({ Authorization: `Bearer ${input.dataset.token}` }),
  };
}

const isSame = (a, b) => ["name", "size", "type", "lastModified"].every((name) => a[name] === b[name]);

const canGoOn = ({ state }) => state === "paused" || state === "unfinished";

function show(row, state, words) {
  row.show(state, words);
  const news = { done: "is uploaded.", failed: `failed. ${words?.message}`, cancelled: "is cancelled.", paused: "is paused." };
  if (news[state]) announce(`${row.file.name} ${news[state]}`);
  summarize();
}

function forget(row) {
  // Whoever works by keyboard goes on at the next file.
  const next = row.element.nextElementSibling ?? row.element.previousElementSibling;
  const focused = row.element.contains(document.activeElement);
  rows.delete(row);
  row.remove();
  summarize();
  finished.show();
  if (focused) (next?.querySelector("[data-cancel]") ?? picker).focus();
}

function summarize() {
  const states = [...rows].map((row) => row.state);
  const count = (...wanted) => states.filter((state) => wanted.includes(state)).length;
  const failed = count("failed");
  section.hidden = states.length === 0;
  summary.textContent = `${count("done")} of ${states.length} uploaded${failed ? `, ${failed} failed` : ""}`;
  clear.hidden = count("done", "failed", "cancelled") === 0;
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

showUnfinished();
finished.refresh(currentTenant());
