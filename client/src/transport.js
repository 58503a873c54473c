// One request to the server, or to the bucket. Whatever goes wrong is an
// UploadError that says with whom.

import { UploadError } from "./upload-error.js";

const PATIENCE = 60_000; // ms without an answer, or without progress

/**
 * What the server has answered. The body is as the protocol has it.
 *
 * @typedef {{ body: any, status: number, retryAfter: number }} Answer
 */

/**
 * Asks the server, by JSON.
 *
 * @param {object} request
 * @param {string} request.url
 * @param {object} request.body
 * @param {HeadersInit} [request.headers]
 * @param {RequestCredentials} [request.credentials]
 * @param {boolean} request.keepalive whether it outlives the page
 * @param {AbortSignal} request.signal
 * @returns {Promise<Answer>}
 */
export async function ask({ url, body, headers: given, credentials, keepalive, signal }) {
  const headers = new Headers(given);
  headers.set("Content-Type", "application/json");
  let response, text;
  try {
    response = await fetch(url, {
      method: "POST",
      headers,
      credentials,
      body: JSON.stringify(body),
      keepalive,
      signal: AbortSignal.any([signal, AbortSignal.timeout(PATIENCE)]),
    });
    text = await response.text();
  } catch (cause) {
    throw new UploadError("network", { from: "server", cause });
  }
  const { status, ok } = response;
  const retryAfter = Number(response.headers.get("Retry-After")) || 0;
  const answer = parse(text || "{}");
  if (ok && answer) return { body: answer, status, retryAfter };
  throw new UploadError(answer?.code ?? "unexpected", { ...answer, from: "server", status, retryAfter });
}

/** @param {string} text */
function parse(text) {
  try {
    return JSON.parse(text);
  } catch {
    return null; // a proxy's page
  }
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
 * Sends bytes to the bucket. A file that has changed on disk fails as if the
 * network did: it is told apart.
 *
 * @param {Sending} sending
 */
export async function send(sending) {
  sending.signal.throwIfAborted();
  try {
    await transmit(sending);
  } catch (error) {
    if (error instanceof UploadError && error.code === "network" && !sending.signal.aborted) await readable(sending.file);
    throw error;
  }
}

/** @param {Blob} file */
async function readable(file) {
  try {
    await file.slice(0, 1).arrayBuffer();
  } catch (cause) {
    throw new UploadError("file_unreadable", { cause });
  }
}

/**
 * By XMLHttpRequest: fetch could not tell how many bytes have left.
 *
 * @param {Sending} sending
 * @returns {Promise<void>}
 */
function transmit({ method, url, headers = {}, body, signal, onLoaded }) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    const cut = () => request.abort();
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    let timer; // not while it waits for a connection
    request.upload.onprogress = ({ loaded }) => {
      clearTimeout(timer);
      timer = setTimeout(cut, PATIENCE);
      onLoaded(loaded);
    };
    request.onloadend = () => {
      clearTimeout(timer);
      signal.removeEventListener("abort", cut);
      if (request.status >= 200 && request.status < 300) resolve();
      else reject(bucketError(request));
    };
    request.open(method, url);
    for (const [name, value] of Object.entries(headers)) request.setRequestHeader(name, value);
    signal.addEventListener("abort", cut);
    request.send(body);
  });
}

/** @param {XMLHttpRequest} request */
function bucketError(request) {
  const { status, responseText } = request;
  const retryAfter = Number(/^retry-after: (\d+)/im.exec(request.getAllResponseHeaders())?.[1]) || 0;
  const code = xmlText(responseText, "Code") ?? (status ? "unexpected" : "network");
  return new UploadError(code, { from: "bucket", status, detail: xmlText(responseText, "Message"), retryAfter });
}

/**
 * What an element of S3's errors has:
 * <Error><Code>SlowDown</Code><Message>…</Message></Error>
 *
 * @param {string} xml
 * @param {string} name
 */
export const xmlText = (xml, name) => xml.match(`<${name}>([^<]*)`)?.[1];
