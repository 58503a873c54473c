// An uploader for Uppy: its files go up by postern.js, and Uppy shows how far they are.
// uppy.d.ts says what it takes.

import { BasePlugin } from "@uppy/core";
import { UploadError, discard, upload } from "./postern.js";
import { Turns } from "./uppy-turns.js";

/** @import { Meta, Uppy, UppyFile } from "@uppy/core" */
/** @import { Options, State } from "../postern.d.ts" */
/** @import { PosternOptions, Receipt } from "../uppy.d.ts" */

/** @typedef {UppyFile<Meta, Receipt> & { postern?: { lastModified: number } }} UploadFile */

const OWN = ["name", "type", "relativePath"]; // of a file's meta: they go as what they are
const TRIES = 2; // after which a person is told

// What has the name of an error's code is said of it.
const strings = {
  server_retried: "The server is busy, or can’t be reached. Trying again.",
  bucket_retried: "The storage is busy, or can’t be reached. Trying again.",
  uploading_elsewhere: "Another tab is uploading this file.",
  server_unreachable: "The server can’t be reached. Check your connection and try again.",
  bucket_unreachable: "The storage can’t be reached, or doesn’t accept uploads from this page.",
  bucket_refused: "The storage refused the file (%{code}).",
  blocked_by_policy: "This page’s security policy forbids the upload.",
  file_unreadable: "The file is gone, or has changed. Choose it again.",
  file_needed: "Choose the file again to continue.",
  file_elsewhere: "Files of other services can’t be uploaded here.",
  upload_failed: "Something went wrong. Try again in a moment.",
};

/** @extends {BasePlugin<PosternOptions, Meta, Receipt>} */
export default class Postern extends BasePlugin {
  /** What is going on, by the file's id. @type {Map<string, Turns>} */
  #turns = new Map();
  /** The files that have failed. @type {Set<string>} */
  #failed = new Set();

  /** @param {Uppy<Meta, Receipt>} uppy @param {PosternOptions} options */
  constructor(uppy, options) {
    super(uppy, options);
    this.type = "uploader";
    this.id = options.id || "Postern";
    this.defaultLocale = { strings };
    this.i18nInit();
    if (!options.endpoint) throw new TypeError("endpoint is missing: it is where the handler is mounted");
  }

  /** @override */
  install() {
    this.#setResumable(true);
    this.uppy.addUploader(this.#uploadAll);
    this.uppy.on("upload-pause", this.#pauseOne);
    this.uppy.on("pause-all", this.#pauseAll);
    this.uppy.on("resume-all", this.#resumeAll);
    this.uppy.on("file-removed", this.#remove);
  }

  /** @override */
  uninstall() {
    this.#setResumable(false);
    this.uppy.removeUploader(this.#uploadAll);
    this.uppy.off("upload-pause", this.#pauseOne);
    this.uppy.off("pause-all", this.#pauseAll);
    this.uppy.off("resume-all", this.#resumeAll);
    this.uppy.off("file-removed", this.#remove);
    for (const turns of this.#turns.values()) turns.end();
  }

  /** @param {boolean} resumableUploads */
  #setResumable(resumableUploads) {
    const { capabilities } = this.uppy.getState();
    this.uppy.setState({ capabilities: { ...capabilities, individualCancellation: true, resumableUploads } });
  }

  // Uppy waits for it, and then looks at which files have an error.
  #uploadAll = async (/** @type {string[]} */ ids) => {
    // Of those that Uppy was told to upload, some may have been removed by now.
    const files = this.#files(ids).filter((file) => file && !file.error && !file.progress.uploadComplete);
    // Golden Retriever brings files back as they were, with their progress.
    this.uppy.emit("upload-start", files.filter(({ isRestored, progress }) => !(isRestored && progress.uploadStarted)));
    await Promise.all(files.map(({ id }) => this.#upload(id)));
  };

  // postern.js orders the files among themselves.
  /** @param {string} id */
  async #upload(id) {
    const [file] = this.#files([id]);
    const turns = new Turns(Boolean(file.isPaused));
    this.#turns.set(id, turns);
    this.#failed.delete(id);
    try {
      const receipt = await this.#send(file, turns);
      if (turns.ended) return;
      this.uppy.emit("upload-success", this.uppy.getFile(id), { status: 200, body: receipt, uploadURL: receipt.location });
    } catch (error) {
      if (!turns.ended) this.#fail(id, error);
    } finally {
      if (this.#turns.get(id) === turns) this.#turns.delete(id);
    }
  }

  /** @param {UploadFile} file @param {Turns} turns */
  async #send(file, turns) {
    if (file.isRemote) throw new UploadError("file_elsewhere");
    const bytes = this.#bytesOf(file);
    const options = {
      ...this.#options(),
      metadata: metadataOf(file, this.opts.allowedMetaFields),
      path: pathOf(file),
      onProgress: (/** @type {{ loaded: number, total: number }} */ { loaded, total }) => this.#progress(file.id, turns, loaded, total),
      onState: (/** @type {State} */ state) => this.#tell(file.id, turns, state),
    };
    return turns.take((signal) => upload(bytes, { ...options, signal }), () => discard(bytes, options));
  }

  // What is kept of an upload goes by the file, and a Blob has no date of its own.
  /** @param {UploadFile} file */
  #bytesOf(file) {
    const { id, data, size, type, meta } = file;
    const name = meta.name ?? file.name;
    const lastModified = dateOf(file);
    if (this.uppy.getFile(id)) this.uppy.setFileState(id, /** @type {{}} */ ({ postern: { lastModified } }));
    if (!data) return { name, size: size ?? 0, type, lastModified, loaded: 0, expires: 0 };
    const same = data instanceof File && data.name === name && data.type === type && data.lastModified === lastModified;
    return same ? data : new File([/** @type {Blob} */ (data)], name, { type, lastModified });
  }

  /** @returns {Options} */
  #options() {
    const { endpoint, scope, store, headers, credentials, checksum, parallel, report } = this.opts;
    return { endpoint, scope, store, headers, credentials, checksum, parallel, report };
  }

  /** @param {string} id @param {Turns} turns @param {number} bytesUploaded @param {number} bytesTotal */
  #progress(id, turns, bytesUploaded, bytesTotal) {
    const file = this.uppy.getFile(id);
    if (turns.ended || !file) return; // uppy.clear() removes files, and tells nobody
    const uploadStarted = file.progress.uploadStarted ?? Date.now();
    this.uppy.emit("upload-progress", file, { uploadStarted, bytesUploaded, bytesTotal });
  }

  /** @param {string} id @param {Turns} turns @param {State} state */
  #tell(id, turns, { retrying, elsewhere }) {
    const again = retrying && retrying.tries >= TRIES && navigator.onLine; // Uppy says itself that one is offline
    const file = this.uppy.getFile(id);
    if (turns.ended || !file || !(again || elsewhere)) return;
    const message = this.i18n(again ? `${retrying.from}_retried` : "uploading_elsewhere");
    this.uppy.emit("upload-stalled", new Error(message), [file]);
  }

  /** @param {string} id @param {unknown} error */
  #fail(id, error) {
    this.#failed.add(id);
    const file = this.uppy.getFile(id);
    if (!(error instanceof UploadError)) {
      this.uppy.emit("upload-error", file, error instanceof Error ? error : new Error(String(error)));
      return;
    }
    const { code, from, status, limits, retryAfter, ended, requestId } = error;
    const detail = this.#words(error);
    const told = new UploadError(code, { ...limits, from, status, detail, retryAfter, ended, requestId, cause: error });
    // Its body is what the server, or the bucket, has said.
    const response = status ? { status, body: /** @type {any} */ ({ code, detail: error.detail, ...limits }) } : undefined;
    this.uppy.emit("upload-error", file, told, response);
  }

  // The words for its code, of the page or from here, and else those of the server.
  /** @param {UploadError} error */
  #words({ code, from, detail }) {
    const name = code === "network" ? `${from}_unreachable` : code;
    const words = { ...strings, ...this.uppy.locale?.strings, ...this.opts.locale?.strings };
    if (Object.hasOwn(words, name)) return this.i18n(name, { code });
    if (from === "server" && detail) return detail;
    return this.i18n(from === "bucket" ? "bucket_refused" : "upload_failed", { code });
  }

  #pauseOne = (/** @type {{ id: string } | undefined} */ file, /** @type {boolean} */ paused) => {
    const turns = this.#turns.get(file?.id ?? "");
    if (paused) turns?.pause();
    else turns?.resume();
  };

  #pauseAll = () => {
    for (const turns of this.#turns.values()) turns.pause();
  };

  // Uppy forgets then which files have failed, and would wait for them.
  #resumeAll = () => {
    for (const turns of this.#turns.values()) turns.resume();
    const failed = [...this.#failed];
    this.#failed.clear();
    for (const id of failed) this.uppy.retryUpload(id).catch((error) => this.uppy.log(error));
  };

  // It leaves nothing on the server, in whatever state the upload was.
  #remove = (/** @type {UploadFile} */ file) => {
    const { id, progress, isRemote } = file;
    this.#failed.delete(id);
    const turns = this.#turns.get(id);
    this.#turns.delete(id); // the same file may be chosen again
    if (turns) turns.end();
    else if (progress.uploadStarted && !progress.uploadComplete && !isRemote) {
      discard(this.#bytesOf(file), this.#options()).catch((error) => this.uppy.log(error));
    }
  };

  /** @param {string[]} ids */
  #files(ids) {
    return /** @type {UploadFile[]} */ (this.uppy.getFilesByIds(ids));
  }
}

/** @param {UploadFile} file */
const dateOf = ({ postern, data }) =>
  postern?.lastModified ?? (data && "lastModified" in data ? Number(data.lastModified) : Date.now());

/** @param {UploadFile} file @param {PosternOptions["allowedMetaFields"]} allowed */
function metadataOf({ meta }, allowed = true) {
  const names = Array.isArray(allowed) ? allowed : Object.keys(allowed ? meta : {});
  const fields = names.filter((name) => !OWN.includes(name) && /^(string|number|boolean)$/.test(typeof meta[name]));
  return Object.fromEntries(fields.map((name) => [name, String(meta[name])]));
}

/** The folders in which a file was, "holiday/2026". @param {UploadFile} file */
function pathOf({ meta: { relativePath } }) {
  return typeof relativePath === "string" ? relativePath.split("/").slice(0, -1).filter(Boolean).join("/") : undefined;
}
