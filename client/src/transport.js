// One request to the server, or to the bucket. Whatever goes wrong is an
// UploadError that says with whom.

import { read } from "./checksum.js";
import { now } from "./clock.js";
import { lineTo } from "./pool.js";
import { permit } from "./policy.js";
import { Results } from "./results.js";
import { parse } from "./saved.js";
import { UploadError } from "./upload-error.js";

/** @import { Moment } from "./clock.js" */

const PATIENCE = 60_000; // ms without an answer, or without progress
const SLOWEST = 4; // bytes in a ms of what goes up unseen
const UNSEEN = [2 ** 17, 2 ** 20]; // bytes; what is as small goes up unseen: at any rate, and at most
const BLINK = 300; // ms in which nobody misses progress
const GLANCE = 2000; // ms between two looks whether a file is still there

/**
 * What the server has answered, and when it was asked. The body is as the protocol has it.
 *
 * @typedef {{ body: any, status: number, retryAfter: number, asked: Moment }} Answer
 */

/**
 * @typedef {object} Request
 * @property {string} url
 * @property {object} [body] in JSON; without it, it is a GET
 * @property {HeadersInit} [headers]
 * @property {RequestCredentials} [credentials]
 * @property {boolean} [keepalive] whether it outlives the page
 * @property {AbortSignal} signal
 */

/**
 * Asks the server.
 *
 * @param {Request} request
 * @returns {Promise<Answer>}
 */
export async function ask(request) {
  const asked = now();
  let text = "";
  const { status, ok, headers } = await fetchFrom(request, (piece) => (text += piece));
  const retryAfter = Number(headers.get("Retry-After")) || 0;
  const answer = parse(text || "{}"); // null for a proxy's page
  if (ok && answer) return { body: answer, status, retryAfter, asked };
  throw problem(answer, status, retryAfter);
}

/**
 * Asks the server for several things at once, and hands on each result as it comes.
 *
 * @param {Request} request
 * @param {(result: any) => void} onResult
 */
export async function askMany(request, onResult) {
  const results = new Results(onResult);
  let text = "";
  const { status, ok, headers } = await fetchFrom(request, (piece, fine) => (fine ? results.read(piece) : (text += piece)));
  if (!ok) throw problem(parse(text), status, Number(headers.get("Retry-After")) || 0);
  throw new UploadError("unexpected", { from: "server", status }); // for those that had no result
}

/**
 * The error that a problem document makes.
 *
 * @param {any} answer
 * @param {number} status
 * @param {number} retryAfter in seconds
 */
export function problem(answer, status, retryAfter) {
  return new UploadError(answer?.code ?? "unexpected", { ...answer, from: "server", status, retryAfter });
}

/**
 * @param {Request} request
 * @param {(piece: string, ok: boolean) => void} onText
 */
async function fetchFrom({ url, body, signal, ...more }, onText) {
  const late = new AbortController();
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;
  const wait = () => {
    clearTimeout(timer);
    timer = setTimeout(() => late.abort(), PATIENCE);
  };
  try {
    wait();
    const response = await fetch(url, { ...more, ...json(more.headers, body), signal: AbortSignal.any([signal, late.signal]) });
    const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
    for (let read; (read = await reader?.read()) && !read.done; wait()) onText(read.value, response.ok);
    return response;
  } catch (cause) {
    if (!signal.aborted) await permit(url);
    throw new UploadError("network", { from: "server", cause });
  } finally {
    clearTimeout(timer);
  }
}

/** @param {HeadersInit | undefined} given @param {object | undefined} body @returns {RequestInit} */
function json(given, body) {
  if (!body) return {};
  const headers = new Headers(given);
  headers.set("Content-Type", "application/json");
  return { method: "POST", headers, body: JSON.stringify(body) };
}

/**
 * A request to the bucket. The file is what the body is made of.
 *
 * @typedef {object} Sending
 * @property {string} method
 * @property {string} url
 * @property {Record<string, string>} [headers]
 * @property {FormData | Blob} body
 * @property {Blob} file
 * @property {AbortSignal} signal
 * @property {(loaded: number) => void} onLoaded is told how many bytes have left
 */

/**
 * Sends bytes to the bucket. A file that is gone fails as if the network did, or with what
 * the bucket says of none: it is told apart.
 *
 * @param {Sending} sending
 */
export async function send(sending) {
  const { url, body, file, signal } = sending;
  signal.throwIfAborted();
  const line = lineTo(url);
  let before = 0;
  /** @param {number} loaded */
  const onLoaded = (loaded) => {
    line.moved(Math.max(0, loaded - before), file.size);
    before = loaded;
    sending.onLoaded(loaded);
  };
  try {
    const quick = body instanceof FormData && file.size <= unseen(line.pace.rate);
    await transmit({ ...sending, onLoaded: quick ? null : onLoaded });
    line.moved(Math.max(0, file.size - before), file.size);
    line.answered = true;
  } catch (error) {
    if (signal.aborted) throw error;
    if (/** @type {UploadError} */ (error).code !== "network") line.answered = true;
    else await permit(url);
    await glance(file);
    throw error;
  }
}

/** Fails if a file is gone. @param {Blob} file */
const glance = (file) => read(file.slice(0, 1));

/** How many bytes are sent before anybody misses the progress. @param {number} rate in bytes in a ms */
const unseen = (rate) => Math.min(UNSEEN[1], Math.max(UNSEEN[0], rate * BLINK));

/**
 * By XMLHttpRequest: fetch could not tell how many bytes have left, and costs Chromium a
 * round trip between its processes for each form. A form without a listener for its
 * progress needs no preflight.
 *
 * @param {Omit<Sending, "onLoaded"> & { onLoaded: Sending["onLoaded"] | null }} sending
 * @returns {Promise<void>}
 */
function transmit({ method, url, headers = {}, body, file, signal, onLoaded }) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    const cut = () => request.abort();
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    let timer; // not while it waits for a connection
    // Firefox and WebKit send nothing of a file that is gone, and wait for more.
    const look = setInterval(() => glance(file).catch(cut), GLANCE);
    if (onLoaded) {
      request.upload.onprogress = ({ loaded }) => {
        clearTimeout(timer);
        timer = setTimeout(cut, PATIENCE);
        onLoaded(loaded);
      };
    } else {
      request.timeout = PATIENCE + file.size / SLOWEST;
    }
    request.onloadend = () => {
      clearTimeout(timer);
      clearInterval(look);
      signal.removeEventListener("abort", cut);
      const { status, responseText } = request;
      // A header that is not exposed cannot be asked for without a warning.
      const header = (/** @type {string} */ name) =>
        new RegExp(`^${name}: (.*)`, "im").exec(request.getAllResponseHeaders())?.[1] ?? null;
      if (status >= 200 && status < 300) resolve();
      else reject(bucketError(status, responseText, header));
    };
    request.open(method, url);
    for (const [name, value] of Object.entries(headers)) request.setRequestHeader(name, value);
    signal.addEventListener("abort", cut);
    request.send(body);
  });
}

/**
 * The error of S3: <Error><Code>SlowDown</Code><Message>…</Message></Error>
 *
 * @param {number} status
 * @param {string} xml
 * @param {(name: string) => string | null} header
 */
function bucketError(status, xml, header) {
  const code = xmlText(xml, "Code") ?? (status ? "unexpected" : "network");
  return new UploadError(code, {
    from: "bucket",
    status,
    detail: xmlText(xml, "Message"),
    retryAfter: Number(header("retry-after")) || 0,
    requestId: xmlText(xml, "RequestId") ?? header("x-amz-request-id") ?? "",
  });
}

/**
 * What an element of S3's errors has.
 *
 * @param {string} xml
 * @param {string} name
 */
const xmlText = (xml, name) => xml.match(`<${name}>([^<]*)`)?.[1];
