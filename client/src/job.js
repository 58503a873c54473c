// One upload, from the request for a grant to the receipt.

import { crc64nvme, sha256 } from "./checksum.js";
import { sendParts } from "./parts.js";
import { delay, passes, retry, sleep } from "./retry.js";
import { Slot, local, partLength, unsummed, wholeSum } from "./saved.js";
import { ask, send } from "./transport.js";
import { UploadError, codeOf } from "./upload-error.js";

/** @import * as API from "../postern.d.ts" */
/** @import { Saved } from "./saved.js" */
/** @import { Answer } from "./transport.js" */

/**
 * @typedef {{
 *   method: string, url: string, fields: Record<string, string>, headers: Record<string, string>,
 * } & Saved} Grant
 */

const HASHED = 100 * 2 ** 20; // bytes; a larger file is not read into memory whole
const DAY = 86_400_000; // ms; how long tickets live, unless the server was told otherwise
const SUMS_OF_PARTS = { parts: "sha256" };

export class Job {
  /** What is kept of it. @type {Saved | null} */
  #saved;
  #reported = -1;
  #file;
  #options;
  #slot;

  /** @param {File | API.Unfinished} file @param {API.Options} options */
  constructor(file, options) {
    const { endpoint, scope = "", store = local(), signal = never() } = options;
    this.signal = signal;
    this.#file = file;
    this.#options = options;
    this.#slot = new Slot(store, { endpoint, scope }, file);
    this.#saved = this.#slot.load(Date.now());
  }

  async run() {
    this.signal.throwIfAborted();
    if (this.#saved) {
      try {
        await this.#resume(this.#saved);
        return await this.#complete(this.#saved);
      } catch (error) {
        if (!stale(error)) throw error;
        this.forget(); // the server knows nothing of it: begin again
      }
    }
    this.#bytes(); // or there is nothing to ask for
    const grant = await this.#sign();
    return this.#complete(await (grant.mode === "multipart" ? this.#sendParts(grant) : this.#sendWhole(grant)));
  }

  /** Leaves nothing of it, here and on the server. */
  async giveUp() {
    const saved = this.#saved;
    this.forget();
    if (saved?.complete || saved?.mode === "multipart") {
      // If it fails, the bucket's lifecycle rules will do it.
      await this.#call("abort", { ticket: saved.ticket }, { signal: never() }).catch(() => {});
    }
  }

  forget() {
    this.#saved = null;
    this.#slot.clear();
  }

  /** @returns {Promise<Grant>} */
  async #sign() {
    const { metadata, checksum } = this.#options;
    const { name: filename, type, size } = this.#file;
    // What is asked for, and what instead where a bucket or a file has no such sum.
    /** @type {({ sha256: string } | typeof SUMS_OF_PARTS | undefined)[]} */
    const wishes = checksum ? [SUMS_OF_PARTS, undefined] : [undefined];
    if (checksum && size <= HASHED) wishes.unshift({ sha256: await sha256(this.#bytes()) });
    const asked = Date.now();
    /** @returns {Promise<{ body: any }>} */
    const request = () =>
      // It is not cut off: what the answer begins must be given up.
      this.#call("sign", { filename, type, size, metadata, checksum: wishes[0] }, { cut: never() }).catch((error) => {
        if (wishes.length === 1 || codeOf(error) !== "checksum_unsupported") throw error;
        wishes.shift();
        return request();
      });
    const { body } = await request();
    const sums = wishes[0] === SUMS_OF_PARTS;
    /** @type {Grant} */
    const grant = { ...body, sums, done: [], expires: asked + body.expires_in * 1000 };
    if (grant.mode === "multipart") this.#save(grant);
    else this.#saved = { ...keep(grant), expires: asked + DAY };
    this.signal.throwIfAborted();
    return grant;
  }

  // A form or a PUT. It is sent again to the same key, where it does no harm; for
  // another one the server must say first that it did not arrive.
  /** @param {Grant} granted */
  async #sendWhole(granted) {
    let grant = granted;
    await retry(
      async (tries) => {
        if (tries > 1 && Date.now() >= grant.expires) {
          if (grant.complete && (await this.#arrived(grant))) return;
          grant = await this.#sign();
        }
        await this.#sendOnce(grant).catch((error) => {
          // The key is taken: an earlier try arrived, or completion tells whose it is.
          if (error.status !== 412 || (tries === 1 && !grant.complete)) throw error;
        });
      },
      { signal: this.signal, again: (error) => error.from === "bucket" && passes(error) },
    );
    return this.#sent(this.#saved ?? grant);
  }

  /** @param {Grant} grant */
  #sendOnce({ mode, method, url, fields, headers }) {
    const file = this.#bytes();
    const body = mode === "post" ? formOf(fields, file) : file;
    return send({ method, url, headers, body, file, signal: this.signal, onLoaded: (loaded) => this.#report(loaded) });
  }

  /** @param {Saved} saved */
  async #arrived(saved) {
    try {
      return await this.#complete(saved);
    } catch (error) {
      if (!stale(error)) throw error;
      return null;
    }
  }

  // What has arrived of the parts is the server's to say.
  /** @param {Saved} saved */
  async #resume(saved) {
    if (saved.sent) return;
    try {
      const { body } = await this.#call("list", { ticket: saved.ticket });
      saved.done = [];
      for (const { number, size } of body.parts) {
        if (size === partLength(saved, number, this.#file.size)) saved.done.push(number);
      }
    } catch (error) {
      if (codeOf(error) === "upload_gone") return; // perhaps completed
      throw error;
    }
    await this.#sendParts(saved);
  }

  /** @param {Saved} saved */
  async #sendParts(saved) {
    if (this.#options.checksum !== false) saved.crc64 ??= unsummed();
    await sendParts({
      saved,
      file: this.#file instanceof Blob ? this.#file : null,
      size: this.#file.size,
      parallel: this.#options.parallel ?? 4,
      signal: this.signal,
      signParts: async (numbers, checksums, signal) =>
        (await this.#call("parts", { ticket: saved.ticket, numbers, checksums }, { signal })).body,
      onLoaded: (loaded) => this.#report(loaded),
      onPart: () => this.#save(saved),
    });
    return this.#sent(saved);
  }

  /** @param {Saved} saved @returns {Promise<API.Stored>} */
  async #complete(saved) {
    const { key, location, complete, ticket } = saved;
    const { name: filename, type, size } = this.#file;
    if (!complete) return { key, location, filename, type, size };
    const sum = wholeSum(saved);
    const checksum = sum === null ? undefined : { crc64nvme: crc64nvme(sum) };
    for (;;) {
      const { body, status, retryAfter } = await this.#call("complete", { ticket, checksum });
      if (status !== 202) return body;
      await sleep(delay(0, retryAfter || 2, Math.random()), this.signal);
    }
  }

  // Asks the server, again where that may help.
  /**
   * @param {"sign" | "parts" | "list" | "complete" | "abort"} action
   * @param {object} body
   * @param {{ signal?: AbortSignal, cut?: AbortSignal }} signals signal ends the trying, cut a
   *   request that is on its way
   * @returns {Promise<Answer>}
   */
  #call(action, body, { signal = this.signal, cut = signal } = {}) {
    const { endpoint, headers, credentials } = this.#options;
    const attempt = async () =>
      ask({
        url: `${endpoint}/${action}`,
        body,
        headers: typeof headers === "function" ? await headers() : headers,
        credentials,
        keepalive: action === "abort",
        signal: cut,
      });
    return retry(attempt, { signal, again: (error) => error.from === "server" && passes(error) });
  }

  /** @returns {Blob} */
  #bytes() {
    if (this.#file instanceof Blob) return this.#file;
    throw new UploadError("file_needed");
  }

  /** @param {number} bytes */
  #report(bytes) {
    const total = this.#file.size;
    const loaded = Math.min(bytes, total); // a form is longer than its file
    if (loaded <= this.#reported) return;
    this.#reported = loaded;
    this.#options.onProgress?.({ loaded, total, resumable: this.#saved?.mode === "multipart" });
  }

  /** @param {Saved} saved */
  #sent(saved) {
    saved.sent = true;
    this.#save(saved);
    this.#report(this.#file.size);
    return saved;
  }

  /** @param {Saved} saved */
  #save(saved) {
    this.#saved = saved;
    this.#slot.save(saved);
  }
}

/**
 * Whether an error says that a ticket is worth nothing any more.
 *
 * @param {unknown} error
 */
export const stale = (error) => /^(ticket_|upload_gone|object_missing|NoSuchUpload)/.test(codeOf(error));

const never = () => new AbortController().signal;

/** What is kept of a grant is not what sends. @param {Grant} grant @returns {Saved} */
function keep(grant) {
  const { method, url, fields, headers, ...saved } = grant;
  return saved;
}

/** @param {Record<string, string>} fields @param {Blob} file */
function formOf(fields, file) {
  const form = new FormData();
  for (const [name, value] of Object.entries(fields)) form.append(name, value);
  form.append("file", file); // S3 ignores what follows the file
  return form;
}
