// Keeps what brings the files of uploads back that can go on: a handle, by which the
// browser opens a file again when the person agrees, or a copy. They are in IndexedDB, by
// the names under which a Storage has the uploads, and no longer than those. What the
// browser forbids, or has no room for, is not kept.

import { local, slotName } from "./saved.js";

/** @import { Unfinished } from "../postern.d.ts" */
/** @import { FileLike } from "./upload-item.js" */

/**
 * Chromium's alone have permissions.
 *
 * @typedef {FileSystemFileHandle & { requestPermission?: (to: { mode: "read" }) => Promise<PermissionState> }} Handle
 */

/** @typedef {{ endpoint: string, scope?: string }} Place */
/** @typedef {{ handle?: Handle, copy?: Blob | ArrayBuffer }} Kept */

const DATABASE = "postern";
const FILES = "files";
const COPIES = 4; // of the largest size, all together
const NOWHERE = { endpoint: "", scope: "" };
const MIME = /^[\w.+-]+\/([\w.+-]+|\*)$/;

/** The handles of files that were dropped or chosen. @type {WeakMap<File, Promise<Handle | null>>} */
const handles = new WeakMap();

/**
 * Notes what opens a dropped file again. It must be asked for during the event.
 *
 * @param {File} file
 * @param {DataTransferItem & { getAsFileSystemHandle?: () => Promise<FileSystemHandle | null> }} item
 */
export function noteDropped(file, item) {
  const handle = item.getAsFileSystemHandle?.().then(
    (found) => (found?.kind === "file" ? /** @type {Handle} */ (found) : null),
    () => null,
  );
  if (handle) handles.set(file, handle);
}

/**
 * Shows the dialog that gives handles. Resolves to no files where the person chooses none,
 * and to null where the browser has no such dialog.
 *
 * @param {{ patterns: string[], multiple: boolean }} wanted
 * @returns {Promise<File[] | null>}
 */
export async function choose({ patterns, multiple }) {
  const { showOpenFilePicker: show, navigator } = /** @type {any} */ (globalThis);
  if (!show || navigator.userAgentData?.mobile) return null; // phones offer their camera, too
  try {
    /** @type {Handle[]} */
    const chosen = await show({ multiple, types: typesOf(patterns) });
    return await Promise.all(chosen.map(async (handle) => {
      const file = await handle.getFile();
      handles.set(file, Promise.resolve(handle));
      return file;
    }));
  } catch (error) {
    // The person has closed it, or it is open already.
    return error instanceof DOMException && /^(Abort|NotAllowed)Error$/.test(error.name) ? [] : null;
  }
}

/**
 * What the dialog shows, of patterns as an attribute accept has them.
 *
 * @param {string[]} patterns
 */
export function typesOf(patterns) {
  const extensions = patterns.filter((pattern) => pattern.startsWith("."));
  const types = patterns.filter((pattern) => MIME.test(pattern) && pattern !== "*/*");
  if (!patterns.length || types.length + extensions.length < patterns.length) return undefined; // "*/*", and what nobody knows
  /** @type {Record<string, string[]>} */
  const accept = Object.fromEntries(types.map((type) => [type, []]));
  if (extensions.length) accept["application/octet-stream"] = extensions;
  return [{ accept }];
}

/**
 * Keeps the handle of a file, or else a copy of one that is small enough.
 *
 * @param {Place} place
 * @param {File} file
 * @param {number} largest that is copied, in bytes
 */
export async function keep(place, file, largest) {
  const name = nameOf(place, file);
  const handle = await handles.get(file);
  if (!handle && file.size > largest) return;
  /** @param {Kept} kept */
  const put = (kept) =>
    use("readwrite", async (files) => {
      if (!isWanted(name)) return; // it has ended meanwhile
      if (kept.handle) files.put(kept, name);
      else if (!(await answerOf(files.count(name))) && (await copied(files)) + file.size <= COPIES * largest) files.put(kept, name);
    });
  if ((await put(handle ? { handle } : { copy: file })) || handle) return;
  // Private windows of WebKit keep bytes, and no Blobs.
  const copy = await file.arrayBuffer().catch(() => null);
  if (copy) await put({ copy });
}

/** How many bytes the copies have. @param {IDBObjectStore} files */
async function copied(files) {
  /** @type {Kept[]} */
  const all = await answerOf(files.getAll());
  return all.reduce((sum, { copy }) => sum + (copy instanceof Blob ? copy.size : (copy?.byteLength ?? 0)), 0);
}

/**
 * What is kept of some uploads.
 *
 * @param {Place} place
 * @param {Unfinished[]} uploads
 * @returns {Promise<Map<Unfinished, Kept>>}
 */
export async function keptOf(place, uploads) {
  const found = new Map();
  await use("readonly", async (files) => {
    for (const upload of uploads) {
      const kept = await answerOf(files.get(nameOf(place, upload)));
      if (kept?.handle || kept?.copy) found.set(upload, kept);
    }
  });
  return found;
}

/**
 * The file again, or null where the person does not agree, or it is not the same. It
 * belongs to a click, or the browser does not ask.
 *
 * @param {Kept} kept
 * @param {Unfinished} upload
 */
export async function open({ handle, copy }, upload) {
  const { name, type, lastModified } = upload;
  try {
    const file = handle ? await opened(handle) : copy && new File([copy], name, { type, lastModified });
    return file && isSame(file, upload) ? file : null;
  } catch {
    return null; // it is gone
  }
}

/** @param {Handle} handle */
async function opened(handle) {
  const state = await handle.requestPermission?.({ mode: "read" });
  return state === undefined || state === "granted" ? handle.getFile() : null;
}

/** @param {FileLike} file @param {FileLike} other */
const isSame = (file, other) => slotName(NOWHERE, file) === slotName(NOWHERE, other);

let sweeping = false;
let again = false;

/** Forgets what belongs to no upload any more. */
export async function sweep() {
  again = true;
  if (sweeping) return;
  sweeping = true;
  while (again) {
    again = false;
    await use("readwrite", async (files) => {
      for (const name of await answerOf(files.getAllKeys())) if (!isWanted(String(name))) files.delete(name);
    });
  }
  sweeping = false;
}

/** @param {Place} place @param {FileLike} file */
const nameOf = ({ endpoint, scope = "" }, file) => slotName({ endpoint, scope }, file);

/** @param {string} name */
const isWanted = (name) => Boolean(local().getItem?.(name));

/**
 * Does something with what is kept, and resolves to whether it is done.
 *
 * @param {IDBTransactionMode} mode
 * @param {(files: IDBObjectStore) => Promise<void>} work
 */
async function use(mode, work) {
  /** @type {IDBDatabase | undefined} */
  let database;
  let done = false;
  try {
    const opening = indexedDB.open(DATABASE, 1);
    opening.onupgradeneeded = () => opening.result.createObjectStore(FILES);
    database = await answerOf(opening);
    const transaction = database.transaction(FILES, mode);
    const ended = new Promise((resolve, reject) => {
      transaction.oncomplete = resolve;
      transaction.onabort = reject;
    });
    await Promise.all([work(transaction.objectStore(FILES)), ended]);
    done = true;
  } catch {
    // There is no database, or it is full.
  }
  database?.close();
  return done;
}

/**
 * @template T
 * @param {IDBRequest<T>} request
 * @returns {Promise<T>}
 */
const answerOf = (request) =>
  new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
