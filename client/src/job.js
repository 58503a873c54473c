// One upload, from the request for a grant to the receipt.

import { crc64nvme, sha256InTurn } from "./checksum.js";
import { clocked, valid } from "./clock.js";
import { sendParts } from "./parts.js";
import { LARGE, lineTo, measuredRate } from "./pool.js";
import { delay, passes, retry, sleep } from "./retry.js";
import { Slot, local, partLength, slotName, unsummed, wholeSum } from "./saved.js";
import { call, rules, waitForConnection } from "./server.js";
import { once, unlessElsewhere } from "./tabs.js";
import { send } from "./transport.js";
import { PAUSE, UploadError, codeOf } from "./upload-error.js";

/** @import * as API from "../postern.d.ts" */
/** @import { Moment } from "./clock.js" */
/** @import { SignedParts } from "./parts.js" */
/** @import { Retrying } from "./retry.js" */
/** @import { Saved } from "./saved.js" */
/** @import { Call } from "./server.js" */
/** @import { Answer } from "./transport.js" */

/**
 * @typedef {{
 *   method: string, url: string, fields: Record<string, string>, headers: Record<string, string>,
 *   first_parts?: AnswerOfParts, asked: Moment, life: number,
 * } & Saved} Grant
 */

/** @typedef {{ urls: Record<number, string>, expires_in: number }} AnswerOfParts */

const HASHED = 100 * 2 ** 20; // bytes; a larger file is not read into memory whole
const DAY = 86_400_000; // ms; how long tickets live, unless the server was told otherwise
const SUMS_OF_PARTS = { parts: "sha256" };
const DETAIL = 500; // characters of what S3 says that are reported
const IN_VAIN = 2; // tries at a bucket that has never answered
const ABSENT = [404, 405]; // statuses of what a server does not have

/** Endpoints that take no reports. @type {Set<string>} */
const deaf = new Set();

export class Job {
  /** What is kept of it. @type {Saved | null} */
  #saved = null;
  #loaded = -1;
  /** Where its bytes go. */
  #url = "";
  /** @type {API.State} */
  #state = { retrying: null, elsewhere: false };
  #since = performance.now();
  #file;
  #options;
  #slot;
  #name;
  #what;

  /** @param {File | API.Unfinished} file @param {API.Options} options */
  constructor(file, options) {
    const { endpoint, scope = "", store = local(), signal = never(), metadata, path, checksum } = options;
    this.signal = signal;
    this.#file = file;
    this.#options = options;
    this.#name = slotName({ endpoint, scope }, file);
    this.#what = JSON.stringify([metadata, checksum, path]);
    this.#slot = new Slot(store, { endpoint, scope }, file);
  }

  /** Uploads, or takes over what another tab uploads. @returns {Promise<API.Stored>} */
  async run() {
    try {
      return await once({
        name: this.#name,
        what: this.#what,
        signal: this.signal,
        onElsewhere: (elsewhere) => this.#tell({ elsewhere }),
        work: () => this.#runAlone(),
      });
    } catch (error) {
      const { aborted, reason } = this.signal;
      if (!aborted) throw error;
      throw reason === PAUSE ? new UploadError("paused") : new UploadError("aborted", { cause: reason });
    }
  }

  /** Leaves nothing of it, here and on the server. */
  async giveUp() {
    const given = await unlessElsewhere(this.#name, () => {
      this.#saved = this.#slot.load(Date.now());
      return this.#leaveNothing();
    });
    if (!given) throw new UploadError("uploading_elsewhere");
  }

  async #runAlone() {
    const { path } = this.#options;
    this.#saved = this.#slot.load(Date.now());
    if (path && this.#saved?.path !== path) this.#saved = null; // of the same file in another folder
    try {
      const receipt = await this.#upload();
      this.#forget();
      return receipt;
    } catch (error) {
      const { aborted, reason } = this.signal;
      if (aborted) {
        if (reason !== PAUSE) await this.#leaveNothing();
        throw error;
      }
      this.#report(error);
      // Nothing can come of it any more: the server says so, or its ticket opens nothing.
      if (stale(error) || (error instanceof UploadError && error.ended)) this.#forget();
      throw error;
    }
  }

  async #upload() {
    this.signal.throwIfAborted();
    if (this.#saved) {
      try {
        await this.#resume(this.#saved);
        return await this.#complete(this.#saved);
      } catch (error) {
        if (!stale(error)) throw error;
        this.#forget(); // the server knows nothing of it: begin again
      }
    }
    this.#bytes(); // or there is nothing to ask for
    const grant = await this.#sign();
    return this.#complete(await (grant.mode === "multipart" ? this.#sendParts(keep(grant), grant) : this.#sendWhole(grant)));
  }

  async #leaveNothing() {
    const saved = this.#saved;
    this.#forget();
    if (saved?.complete || saved?.mode === "multipart") {
      // If it fails, the bucket's lifecycle rules will do it.
      await this.#call("abort", { ticket: saved.ticket }, { signal: never() }).catch(() => {});
    }
  }

  #forget() {
    this.#saved = null;
    this.#slot.clear();
  }

  /** @returns {Promise<Grant>} */
  async #sign() {
    const { metadata, path, checksum } = this.#options;
    const { name: filename, type, size } = this.#file;
    const rate = (size > LARGE && measuredRate()) || undefined;
    // What is asked for, and what instead where a bucket or a file has no such sum.
    /** @type {({ sha256: string } | typeof SUMS_OF_PARTS | undefined)[]} */
    const wishes = checksum ? [SUMS_OF_PARTS, undefined] : [undefined];
    if (checksum && size <= HASHED) wishes.unshift({ sha256: await sha256InTurn(this.#bytes()) });
    /** @returns {Promise<Answer>} */
    const request = () =>
      // It is not cut off: what the answer begins must be given up.
      this.#call("sign", { filename, path, type, size, rate, metadata, checksum: wishes[0] }, { cut: never() }).catch((error) => {
        if (wishes.length === 1 || codeOf(error) !== "checksum_unsupported") throw error;
        wishes.shift();
        return request();
      });
    const { body, asked } = await request();
    const sums = wishes[0] === SUMS_OF_PARTS;
    /** @type {Grant} */
    const grant = { ...body, path, sums, done: [], asked, life: body.expires_in * 1000 };
    grant.expires = asked.date + grant.life;
    if (grant.mode === "multipart") this.#save(keep(grant));
    else this.#saved = { ...keep(grant), expires: asked.date + DAY };
    this.signal.throwIfAborted();
    return grant;
  }

  // A form or a PUT. It is sent again to the same key, where it does no harm; for
  // another one the server must say first that it did not arrive.
  /** @param {Grant} granted */
  async #sendWhole(granted) {
    let grant = granted;
    this.#url = grant.url;
    await this.#atBucket(async (tries) => {
      while (!(await this.#inTurn(grant, tries))) {
        if (tries > 1 && grant.complete && (await this.#arrived(grant))) return;
        grant = await this.#sign();
      }
    }, ({ status }) => status === 403 && !valid(grant));
    return this.#sent(this.#saved ?? grant);
  }

  // Whether a grant was still good when its turn came.
  /** @param {Grant} grant @param {number} tries */
  async #inTurn(grant, tries) {
    const started = waitForConnection();
    try {
      const want = { bytes: this.#file.size, since: this.#since, signal: this.signal };
      return await lineTo(grant.url).pool.use(want, async () => {
        started();
        if (!valid(grant)) return false;
        await this.#sendOnce(grant).catch((error) => {
          // The key is taken: an earlier try arrived, or completion tells whose it is.
          if (error.status !== 412 || (tries === 1 && !grant.complete)) throw clocked(error, grant);
        });
        return true;
      });
    } finally {
      started();
    }
  }

  /** @param {Grant} grant */
  #sendOnce({ mode, method, url, fields, headers }) {
    const file = this.#bytes();
    const body = mode === "post" ? formOf(fields, file) : file;
    return send({ method, url, headers, body, file, signal: this.signal, onLoaded: (loaded) => this.#progress(loaded) });
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

  /** @param {Saved} saved @param {Grant} [grant] that has just come */
  async #sendParts(saved, grant) {
    if (this.#options.checksum !== false) saved.crc64 ??= unsummed();
    await sendParts({
      saved,
      file: isBlob(this.#file) ? this.#file : null,
      size: this.#file.size,
      since: this.#since,
      parallel: this.#options.parallel,
      signal: this.signal,
      first: grant?.first_parts && signedParts(grant.first_parts, grant.asked),
      signParts: async (numbers, checksums, signal) => {
        const { body, asked } = await this.#call("parts", { ticket: saved.ticket, numbers, checksums }, { signal });
        return signedParts(body, asked);
      },
      retried: (attempt, again) => this.#atBucket(attempt, again),
      onURL: (url) => (this.#url = url),
      onLoaded: (loaded) => this.#progress(loaded),
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
   * @param {Call["action"]} action
   * @param {object} body
   * @param {{ signal?: AbortSignal, cut?: AbortSignal }} signals signal ends the trying, cut a
   *   request that is on its way
   * @returns {Promise<Answer>}
   */
  #call(action, body, { signal = this.signal, cut = signal } = {}) {
    return retry(() => call(this.#options, { action, body, signal: cut }), {
      signal,
      again: (error) => error.from === "server" && passes(error),
      onRetry: (retrying) => this.#retrying(retrying),
    });
  }

  // Tries at the bucket, as long as that may help.
  /**
   * @template T
   * @param {(tries: number) => Promise<T>} attempt
   * @param {(error: UploadError) => boolean} also whether an error may pass that usually does not
   */
  #atBucket(attempt, also = () => false) {
    return retry(attempt, {
      signal: this.signal,
      again: async (error, failures) => {
        if (error.from !== "bucket") return false;
        if (error.code === "network" && failures >= IN_VAIN) await this.#reachable(error);
        return also(error) || passes(error);
      },
      onRetry: (retrying) => this.#retrying(retrying),
    });
  }

  // A bucket that has never answered, while the server does, will not: browsers do not
  // tell a missing CORS rule from a missing network.
  /** @param {UploadError} cause */
  async #reachable(cause) {
    if (lineTo(this.#url).answered) return;
    try {
      await rules({ ...this.#options, signal: this.signal });
    } catch (error) {
      if (!(error instanceof UploadError && error.status)) return; // the network is gone
    }
    const { origin } = new URL(this.#url, globalThis.location?.href);
    throw new UploadError("bucket_unreachable", {
      from: "bucket",
      detail: `The CORS rules of ${origin} lack this page, or the connect-src of its Content-Security-Policy lacks ${origin}.`,
      cause,
    });
  }

  // The server cannot see what the bucket has refused.
  /** @param {unknown} error */
  #report(error) {
    const refused = error instanceof UploadError && (error.from === "bucket" || error.code === "blocked_by_policy");
    const { endpoint, report } = this.#options;
    if (!refused || !this.#saved || report === false || deaf.has(endpoint)) return;
    const { status, code, detail, requestId: request_id } = error;
    const body = { ticket: this.#saved.ticket, stage: "upload", status, code, detail: detail.slice(0, DETAIL), request_id };
    call(this.#options, { action: "report", body, signal: never() }).catch(({ status }) => {
      if (ABSENT.includes(status)) deaf.add(endpoint);
    });
  }

  /** @returns {Blob} */
  #bytes() {
    if (isBlob(this.#file)) return this.#file;
    throw new UploadError("file_needed");
  }

  /** @param {number} bytes */
  #progress(bytes) {
    const total = this.#file.size;
    const loaded = Math.min(bytes, total); // a form is longer than its file
    if (loaded <= this.#loaded) return;
    this.#loaded = loaded;
    tell(this.#options.onProgress, { loaded, total, resumable: this.#saved?.mode === "multipart" });
  }

  /** @param {Retrying | null} retrying */
  #retrying(retrying) {
    this.#tell({ retrying: retrying && { code: retrying.error.code, from: retrying.error.from, at: retrying.at, tries: retrying.tries } });
  }

  /** @param {Partial<API.State>} change */
  #tell(change) {
    this.#state = { ...this.#state, ...change };
    tell(this.#options.onState, this.#state);
  }

  /** @param {Saved} saved */
  #sent(saved) {
    saved.sent = true;
    this.#save(saved);
    this.#progress(this.#file.size);
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
const stale = (error) => /^(ticket_|upload_gone|object_missing|NoSuchUpload)/.test(codeOf(error));

/** Whether the bytes are here. Of another window, a file is no Blob of this one. @param {object} file @returns {file is Blob} */
const isBlob = (file) => "slice" in file;

const never = () => new AbortController().signal;

/**
 * Tells a page, whose mistakes end no upload.
 *
 * @template News
 * @param {((news: News) => void) | undefined} listener
 * @param {News} news
 */
function tell(listener, news) {
  try {
    listener?.(news);
  } catch (error) {
    reportError(error);
  }
}

/** What is kept of a grant is not what sends. @param {Grant} grant @returns {Saved} */
function keep(grant) {
  const { method, url, fields, headers, first_parts, asked, life, ...saved } = grant;
  return saved;
}

/** @param {AnswerOfParts} answer @param {Moment} asked @returns {SignedParts} */
const signedParts = ({ urls, expires_in }, asked) => ({ urls, asked, life: expires_in * 1000 });

/** @param {Record<string, string>} fields @param {Blob} file */
function formOf(fields, file) {
  const form = new FormData();
  for (const [name, value] of Object.entries(fields)) form.append(name, value);
  form.append("file", file); // S3 ignores what follows the file
  return form;
}
