// What frameworks show of uploads: one list, as values that never change, and who is
// told when there are others. uploads.d.ts says what is in it.

import { pathOf } from "./folders.js";
import { PAUSE, discard, upload } from "./postern.js";

/** @import * as API from "../uploads.d.ts" */

const SOON = 50; // ms, in which progress is told of once

/**
 * @typedef {object} Entry
 * @property {API.Upload} view
 * @property {AbortController} stop of the run that counts
 * @property {Promise<unknown>} run the last one; they take turns, and do not fail
 * @property {Promise<void>} ended
 * @property {() => void} end
 * @property {boolean} held whether it was paused because nobody looks
 */

let ids = 0;

/**
 * While nobody subscribes any more, what is on its way is paused: a component is gone,
 * or hidden. It goes on when somebody subscribes again.
 *
 * @param {() => API.UploadsOptions} options asked for each upload
 */
export function createUploads(options) {
  /** @type {Map<number, Entry>} */
  const entries = new Map();
  /** @type {Set<{ told: () => void }>} */
  const listeners = new Set();
  let state = stateOf([]);
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;

  const tell = () => {
    clearTimeout(timer);
    timer = undefined;
    state = stateOf(Array.from(entries.values(), ({ view }) => view));
    for (const { told } of listeners) told();
  };

  /** @param {Entry} entry @param {Partial<API.Upload>} change */
  const change = (entry, change) => {
    entry.view = { ...entry.view, ...change };
  };

  /** @param {API.Upload["file"]} file @returns {Entry} */
  const add = (file) => {
    const { promise, resolve } = deferred();
    /** @type {API.Upload} */
    const view = { id: ++ids, file, status: "uploading", loaded: 0, resumable: false, receipt: null, error: null, retrying: null, elsewhere: false };
    const entry = { view, stop: new AbortController(), run: Promise.resolve(), ended: promise, end: resolve, held: false };
    entries.set(view.id, entry);
    start(entry);
    return entry;
  };

  /** @param {Entry} entry */
  const start = (entry) => {
    const { signal } = (entry.stop = new AbortController());
    entry.held = false;
    change(entry, { status: "uploading", error: null });
    entry.run = entry.run.then(() => run(entry, signal));
  };

  /** @param {Entry} entry @param {AbortSignal} signal */
  const run = async (entry, signal) => {
    /** @param {Partial<API.Upload>} news */
    const note = (news) => {
      if (signal.aborted) return;
      change(entry, news);
      timer ??= setTimeout(tell, SOON);
    };
    if (signal.aborted || entry.view.receipt) return;
    const { file } = entry.view;
    try {
      const { metadata, ...others } = options();
      const receipt = await upload(file, {
        ...others,
        signal,
        path: pathOf(/** @type {File} */ (file)) || undefined,
        metadata: typeof metadata === "function" ? await metadata(file) : metadata,
        onProgress: ({ loaded, resumable }) => note({ loaded, resumable }),
        onState: note,
      });
      change(entry, { status: "done", loaded: file.size, receipt, ...QUIET }); // perhaps while it pauses
    } catch (error) {
      if (signal.aborted) return;
      change(entry, { status: "failed", error: /** @type {Error} */ (error), ...QUIET });
    }
    entry.end();
    tell();
  };

  /** @param {Entry} entry */
  const pause = (entry) => {
    if (entry.view.status !== "uploading") return;
    entry.stop.abort(PAUSE);
    change(entry, { status: "paused", ...QUIET });
  };

  /** @param {Entry} entry @param {boolean} one */
  const resume = (entry, one) => {
    const { status } = entry.view;
    if (status === "paused" || (one && status === "failed")) start(entry);
  };

  /** @param {Entry} entry */
  const cancel = (entry) => {
    const { id, file } = entry.view;
    entries.delete(id);
    entry.stop.abort();
    entry.end();
    entry.run = entry.run.then(async () => {
      const { metadata, ...others } = options();
      if (!entry.view.receipt) await discard(file, others).catch(() => {}); // another tab has it
    });
  };

  /** @param {Entry} entry */
  const clear = ({ view: { id, status } }) => {
    if (status === "done" || status === "failed") entries.delete(id);
  };

  /**
   * Does something with one, or with all.
   *
   * @param {(entry: Entry, one: boolean) => void} work
   * @returns {(id?: unknown) => void} whatever else a page's event may hand over
   */
  const each = (work) => (id) => {
    const one = typeof id === "number";
    for (const entry of [...entries.values()]) if (!one || entry.view.id === id) work(entry, one);
    tell();
  };

  const hold = () => {
    if (listeners.size) return; // it was only moved
    for (const entry of entries.values()) {
      entry.held ||= entry.view.status === "uploading";
      pause(entry);
    }
    tell();
  };

  return {
    get: () => state,

    /** @param {() => void} told */
    subscribe(told) {
      const listener = { told };
      listeners.add(listener);
      for (const entry of entries.values()) if (entry.held) resume(entry, false);
      return () => {
        listeners.delete(listener);
        queueMicrotask(hold);
      };
    },

    /** @type {API.Actions["upload"]} */
    async upload(files) {
      const added = Array.from(listOf(files), add);
      tell();
      await Promise.all(added.map(({ ended }) => ended));
      return added.flatMap(({ view }) => view.receipt ?? []);
    },
    pause: each(pause),
    resume: each(resume),
    cancel: each(cancel),
    clear: each(clear),
  };
}

const QUIET = { retrying: null, elsewhere: false };

/** @param {Parameters<API.Actions["upload"]>[0]} files */
function listOf(files) {
  if (!files) return [];
  return Symbol.iterator in files ? files : [files];
}

/** @param {API.Upload[]} uploads @returns {API.Uploads} */
function stateOf(uploads) {
  let sent = 0;
  let all = 0;
  for (const { file, loaded, receipt, error } of uploads) {
    if (error) continue;
    sent += loaded + (receipt ? 1 : 0); // the receipt weighs as much as a byte
    all += file.size + 1;
  }
  return {
    uploads,
    progress: all && sent / all,
    uploading: uploads.some(({ status }) => status === "uploading"),
    errors: uploads.filter(/** @type {(upload: API.Upload) => upload is API.Failed} */ (({ error }) => error !== null)),
  };
}

function deferred() {
  /** @type {() => void} */
  let resolve = () => {};
  /** @type {Promise<void>} */
  const promise = new Promise((settle) => (resolve = settle));
  return { promise, resolve };
}
