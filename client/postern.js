// Uploads files by the grants of a Postern server: by a form, by one PUT, or in
// parts. No dependency, no build step; postern.d.ts says what is exported.

/** @import * as API from "./postern.d.ts" */

const TRIES = 6; // of each request, while the browser is online
const PATIENCE = 60_000; // ms without an answer, or without progress
const HASHED = 100 * 2 ** 20; // bytes; a larger file is not read into memory whole
const DAY = 86_400_000; // ms; how long tickets live, unless the server was told otherwise

export const PAUSE = /** @type {typeof API.PAUSE} */ (Symbol("pause"));

export class UploadError extends Error {
  /** @param {string} code @param {API.UploadErrorInit} init */
  constructor(code, init = {}) {
    const { from = "browser", status = 0, detail = "", retryAfter = 0, cause, min_size, max_size, allowed_types } = init;
    super(detail || code, { cause });
    this.name = "UploadError";
    this.code = code;
    this.from = from;
    this.status = status;
    this.detail = detail;
    this.limits = { min_size, max_size, allowed_types };
    this.retryAfter = retryAfter;
  }
}

/** @type {typeof API.upload} */
export async function upload(file, options) {
  const job = new Job(file, options);
  try {
    const receipt = await job.run();
    job.forget();
    return receipt;
  } catch (error) {
    const { aborted, reason } = job.signal;
    if (aborted && reason === PAUSE) throw new UploadError("paused");
    if (aborted) {
      await job.giveUp();
      throw new UploadError("aborted", { cause: reason });
    }
    if (hopeless(error)) job.forget();
    throw error;
  }
}

/** @type {typeof API.unfinished} */
export function unfinished({ endpoint, scope = "", store = local() }) {
  const found = [];
  for (const slot in store) {
    if (!slot.startsWith("postern[")) continue;
    const [at, whose, name, size, lastModified, type] = JSON.parse(slot.slice(7));
    /** @type {Saved} */
    const saved = JSON.parse(store[slot]);
    const { expires, sent } = saved;
    if (expires < Date.now()) store.removeItem(slot);
    else if (at === endpoint && whose === scope) {
      found.push({ name, size, type, lastModified, expires, loaded: sent ? size : loadedOf(saved, size) });
    }
  }
  return found.sort((a, b) => a.expires - b.expires);
}

/** @type {typeof API.discard} */
export const discard = (upload, options) => new Job(upload, options).giveUp();

/**
 * What is kept of an upload that can go on. `done` are the parts that have arrived,
 * `sent` is set when nothing is left to send, `expires` is in ms since 1970.
 * @typedef {{
 *   mode: "post" | "put" | "multipart", ticket: string, key: string, location: string, complete: boolean,
 *   part_size: number, parts: number, sums: boolean, done: number[], sent?: boolean, expires: number,
 * }} Saved
 *
 * @typedef {{
 *   method: string, url: string, fields: Record<string, string>, headers: Record<string, string>, expires_in: number,
 * } & Saved} Grant
 */

class Job {
  /** @type {Saved | null} */
  saved = null;
  reported = -1;

  /** @param {File | API.Unfinished} file @param {API.Options} options */
  constructor(file, options) {
    const { endpoint, scope = "", store = local(), signal = never() } = options;
    this.file = file;
    this.options = options;
    this.store = store;
    this.signal = signal;
    this.slot = "postern" + JSON.stringify([endpoint, scope, file.name, file.size, file.lastModified, file.type]);
    const saved = JSON.parse(store?.getItem(this.slot) ?? "null");
    if (saved?.expires > Date.now()) this.saved = saved;
  }

  async run() {
    this.signal.throwIfAborted();
    if (this.saved) {
      try {
        await this.resume(this.saved);
        return await this.complete(this.saved);
      } catch (error) {
        if (!stale(error)) throw error;
        this.forget(); // the server knows nothing of it: begin again
      }
    }
    this.bytes(); // or there is nothing to ask for
    const grant = await this.sign();
    return this.complete(await (grant.mode === "multipart" ? this.sendParts(grant) : this.sendWhole(grant)));
  }

  async sign() {
    const { metadata, checksum } = this.options;
    const { name: filename, type, size } = this.file;
    const parts = { parts: "sha256" };
    const whole = checksum && size <= HASHED && { sha256: await sha256(this.bytes()) };
    const body = { filename, type, size, metadata, checksum: whole || checksum && parts || undefined };
    const asked = Date.now();
    // Not cut off: what the answer begins must be given up.
    const ask = () => this.call("sign", body, this.signal, never());
    const { answer } = await ask().catch((error) => {
      if (!whole || error.code !== "checksum_unsupported") throw error;
      body.checksum = parts;
      return ask();
    });
    /** @type {Grant} */
    const grant = { ...answer, sums: body.checksum === parts, done: [], expires: asked + answer.expires_in * 1000 };
    const { method, url, fields, headers, ...saved } = grant;
    if (grant.mode === "multipart") this.save(grant);
    else this.saved = { ...saved, expires: asked + DAY };
    this.signal.throwIfAborted();
    return grant;
  }

  // A form or a PUT. It is sent again to the same key, where it does no harm; for
  // another one the server must say first that it did not arrive.
  async sendWhole(/** @type {Grant} */ grant) {
    await this.retry("bucket", async (tries) => {
      if (tries > 1 && Date.now() >= grant.expires) {
        if (grant.complete && await this.arrived(grant)) return;
        grant = await this.sign();
      }
      const { mode, method, url, fields, headers } = grant;
      /** @type {FormData | Blob} */
      let body = this.bytes();
      if (mode === "post") {
        body = new FormData();
        for (const [name, value] of Object.entries(fields)) body.append(name, value);
        body.append("file", this.bytes()); // S3 ignores what follows the file
      }
      await this.send(method, url, headers, body, this.signal, (loaded) => this.report(loaded)).catch((error) => {
        // The key is taken: an earlier try arrived, or completion tells whose it is.
        if (error.status !== 412 || tries === 1 && !grant.complete) throw error;
      });
    });
    return this.sent(this.saved ?? grant);
  }

  async arrived(/** @type {Saved} */ saved) {
    try {
      return await this.complete(saved);
    } catch (error) {
      if (!stale(error)) throw error;
    }
  }

  // What has arrived of the parts is the server's to say.
  async resume(/** @type {Saved} */ saved) {
    if (saved.sent) return;
    try {
      const { answer } = await this.call("list", { ticket: saved.ticket });
      saved.done = [];
      for (const { number: n, size } of answer.parts) if (size === lengthOf(saved, n, this.file.size)) saved.done.push(n);
    } catch (error) {
      if (/** @type {any} */ (error).code === "upload_gone") return; // perhaps completed
      throw error;
    }
    await this.sendParts(saved);
  }

  async sendParts(/** @type {Saved} */ saved) {
    const { parallel = 4 } = this.options;
    const { part_size, done } = saved;
    const todo = Array.from({ length: saved.parts }, (_, i) => i + 1).filter((n) => !done.includes(n));
    const stop = new AbortController(); // one part that fails for good stops the others
    const signal = AbortSignal.any([this.signal, stop.signal]);
    const urls = this.partURLs(saved.ticket, () => todo.slice(0, 4 * parallel), signal);
    const onTheWay = new Map(); // bytes of each part
    const report = () => {
      let loaded = loadedOf(saved, this.file.size);
      for (const bytes of onTheWay.values()) loaded += bytes;
      this.report(loaded);
    };
    const sendPart = async (/** @type {number} */ n) => {
      const part = this.bytes().slice((n - 1) * part_size, n * part_size);
      const sum = saved.sums ? await sha256(part) : "";
      await this.retry("bucket", async () => {
        const url = await urls.get(n, sum);
        try {
          await this.send("PUT", url, sum ? { "x-amz-checksum-sha256": sum } : {}, part, signal, (loaded) => {
            onTheWay.set(n, loaded);
            report();
          });
        } catch (error) {
          urls.drop(n); // it may have expired
          throw error;
        } finally {
          onTheWay.delete(n);
        }
      }, signal, 403);
      done.push(n);
      this.save(saved);
      report();
    };
    const work = async () => {
      for (let n; (n = todo.shift()); ) await sendPart(n);
    };
    report();
    await Promise.all(Array.from({ length: parallel }, () => work().catch((error) => stop.abort(error))));
    signal.throwIfAborted();
    return this.sent(saved);
  }

  // The URLs of parts: several are asked for at once, and again when they expire.
  /** @param {string} ticket @param {() => number[]} next the parts that are wanted soon @param {AbortSignal} signal */
  partURLs(ticket, next, signal) {
    const urls = new Map();
    /** @type {Promise<void> | null} */
    let asking = null;
    const ask = async (/** @type {number[]} */ numbers, checksums = {}) => {
      const asked = Date.now();
      const { answer } = await this.call("parts", { ticket, numbers, checksums }, signal);
      const until = asked + answer.expires_in * 900; // a little early
      for (const n of numbers) urls.set(n, { url: answer.urls[n], until });
    };
    return {
      drop: (/** @type {number} */ n) => urls.delete(n),
      get: async (/** @type {number} */ n, /** @type {string} */ sum) => {
        for (;;) {
          const { url, until } = urls.get(n) ?? { url: "", until: 0 };
          if (until > Date.now()) return url;
          if (sum) await ask([n], { [n]: sum }); // signed alone
          else await (asking ??= ask([n, ...next()]).finally(() => (asking = null)));
        }
      },
    };
  }

  /** @returns {Promise<API.Stored>} */
  async complete(/** @type {Saved} */ { key, location, complete, ticket }) {
    const { name: filename, type, size } = this.file;
    if (!complete) return { key, location, filename, type, size };
    for (;;) {
      const { answer, status, retryAfter } = await this.call("complete", { ticket });
      if (status !== 202) return answer;
      await rest(retryAfter * 1000 || 2000, this.signal);
    }
  }

  async giveUp() {
    const { saved } = this;
    this.forget();
    if (saved?.complete || saved?.mode === "multipart") {
      // If it fails, the bucket's lifecycle rules will do it.
      await this.call("abort", { ticket: saved.ticket }, never()).catch(() => {});
    }
  }

  // Asks the server, again where that may help. The signal ends the trying, and
  // cut a request that is on its way.
  /** @param {string} road @param {object} body */
  call(road, body, signal = this.signal, cut = signal) {
    return this.retry("server", () => this.ask(road, body, cut), signal);
  }

  /** @param {string} road @param {object} body @param {AbortSignal} signal */
  async ask(road, body, signal) {
    const { endpoint, headers: given, credentials } = this.options;
    const headers = new Headers(typeof given === "function" ? await given() : given);
    headers.set("Content-Type", "application/json");
    let response, text, answer;
    try {
      response = await fetch(`${endpoint}/${road}`, {
        method: "POST", headers, credentials, body: JSON.stringify(body), keepalive: road === "abort",
        signal: AbortSignal.any([signal, AbortSignal.timeout(PATIENCE)]),
      });
      text = await response.text();
    } catch (cause) {
      throw new UploadError("network", { from: "server", cause });
    }
    try {
      answer = JSON.parse(text || "{}");
    } catch {} // a proxy's page
    const { status, ok } = response;
    const retryAfter = Number(response.headers.get("Retry-After")) || 0;
    if (ok && answer) return { answer, status, retryAfter };
    throw new UploadError(answer?.code ?? "unexpected", { ...answer, from: "server", status, retryAfter });
  }

  // Sends bytes to the bucket. fetch could not tell how many have left.
  /**
   * @param {string} method @param {string} url @param {Record<string, string>} headers
   * @param {FormData | Blob} body @param {AbortSignal} signal @param {(loaded: number) => void} onLoaded
   * @returns {Promise<void>}
   */
  send(method, url, headers = {}, body, signal, onLoaded) {
    return new Promise((resolve, reject) => {
      const request = new XMLHttpRequest();
      const cut = () => request.abort();
      let timer = 0; // not while it waits for a connection
      request.upload.onprogress = (event) => {
        clearTimeout(timer);
        timer = setTimeout(cut, PATIENCE);
        onLoaded(event.loaded);
      };
      request.onloadend = () => {
        clearTimeout(timer);
        signal.removeEventListener("abort", cut);
        const { status, responseText } = request;
        if (status >= 200 && status < 300) return resolve();
        // <Error><Code>SlowDown</Code><Message>…</Message></Error>
        const text = (/** @type {string} */ name) => responseText.match(`<${name}>([^<]*)`)?.[1];
        const code = text("Code") ?? (status ? "unexpected" : "network");
        const retryAfter = Number(/^retry-after: (\d+)/im.exec(request.getAllResponseHeaders())?.[1]) || 0;
        reject(new UploadError(code, { from: "bucket", status, detail: text("Message"), retryAfter }));
      };
      request.open(method, url);
      for (const [name, value] of Object.entries(headers)) request.setRequestHeader(name, value);
      signal.addEventListener("abort", cut);
      request.send(body);
      if (signal.aborted) cut();
    });
  }

  // Tries until it works or trying cannot help: exponential backoff with full
  // jitter, but no sooner than the server says. Being offline costs no try.
  /**
   * @template T
   * @param {API.UploadError["from"]} from whose errors are meant
   * @param {(tries: number) => Promise<T>} attempt
   * @param {number} [also] a status that may pass, too
   */
  async retry(from, attempt, signal = this.signal, also) {
    for (let tries = 1, left = TRIES; ; tries++) {
      try {
        return await attempt(tries);
      } catch (e) {
        signal.throwIfAborted();
        const error = /** @type {any} */ (e);
        if (error.from !== from || !passing(error) && error.status !== also) throw error;
        if (online() && --left === 0) throw error;
        if (from === "bucket" && error.code === "network") await this.readable();
        await rest(Math.max(Math.random() * 500 * 2 ** (TRIES - left), error.retryAfter * 1000), signal);
      }
    }
  }

  // A file that has changed on disk fails as if the network did.
  async readable() {
    try {
      await this.bytes().slice(0, 1).arrayBuffer();
    } catch (cause) {
      throw new UploadError("file_unreadable", { cause });
    }
  }

  /** @returns {Blob} */
  bytes() {
    if (this.file instanceof Blob) return this.file;
    throw new UploadError("file_needed");
  }

  report(/** @type {number} */ loaded) {
    const total = this.file.size;
    loaded = Math.min(loaded, total); // a form is longer than its file
    if (loaded <= this.reported) return;
    this.reported = loaded;
    this.options.onProgress?.({ loaded, total, resumable: this.saved?.mode === "multipart" });
  }

  sent(/** @type {Saved} */ saved) {
    saved.sent = true;
    this.save(saved);
    this.report(this.file.size);
    return saved;
  }

  save(/** @type {Saved} */ saved) {
    this.saved = saved;
    try {
      this.store?.setItem(this.slot, JSON.stringify(saved));
    } catch {} // full, or forbidden: the upload then ends with the page
  }

  forget() {
    this.saved = null;
    this.store?.removeItem(this.slot);
  }
}

/** @param {Saved} saved @param {number} n @param {number} size */
const lengthOf = ({ part_size }, n, size) => Math.min(part_size, size - (n - 1) * part_size);

// The bytes of the parts that have arrived.
const loadedOf = (/** @type {Saved} */ saved, /** @type {number} */ size) =>
  saved.done.reduce((sum, n) => sum + lengthOf(saved, n, size), 0);

// Errors that pass by themselves.
const passing = (/** @type {any} */ { code, from, status, retryAfter }) =>
  code === "network" || code === "RequestTimeout" || retryAfter ||
  [408, 425, 429].includes(status) || status > 500 || status === 500 && from === "bucket";

// Errors of a ticket that is worth nothing any more.
const stale = (/** @type {any} */ { code }) => /^(ticket_|upload_gone|object_missing|NoSuchUpload)/.test(code);

// Errors after which going on makes no sense.
const hopeless = (/** @type {any} */ error) => stale(error) || error.status === 422 || error.code === "object_conflict";

const never = () => new AbortController().signal;

const online = () => navigator.onLine !== false;

// Waits, and while the browser is offline for the end of it; some are wrong about
// that.
function rest(/** @type {number} */ ms, /** @type {AbortSignal} */ signal) {
  return new Promise((resolve, reject) => {
    const end = new AbortController();
    const timer = setTimeout(done, online() ? ms : PATIENCE);
    function done() {
      clearTimeout(timer);
      end.abort();
      signal.aborted ? reject(signal.reason) : resolve(undefined);
    }
    signal.addEventListener("abort", done, { signal: end.signal });
    if (!online()) addEventListener("online", done, { signal: end.signal });
    if (signal.aborted) done();
  });
}

async function sha256(/** @type {Blob} */ blob) {
  const sum = await crypto.subtle.digest("SHA-256", await blob.arrayBuffer());
  return btoa(String.fromCharCode(...new Uint8Array(sum)));
}

function local() {
  try {
    return globalThis.localStorage;
  } catch {
    return null; // forbidden
  }
}
