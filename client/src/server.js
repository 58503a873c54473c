// What uploads ask of the server. Those of one page that ask for the same at the same
// time ask together.

import { Batch } from "./batch.js";
import { now } from "./clock.js";
import { allIdle } from "./pool.js";
import { ask, askMany, problem } from "./transport.js";

/** @import * as API from "../postern.d.ts" */
/** @import { Plan } from "./batch.js" */
/** @import { Answer } from "./transport.js" */

const SLOW = 1000; // ms after which a request does not keep others waiting
const GATHER = 500; // ms between requests for completion, while others are being sent
const ENOUGH = 16; // that the server completes at once
const AHEAD = 100; // grants that may wait for a connection; they expire

/** How many grants wait for a connection. */
let ahead = 0;

/** @type {Map<string, Batch>} */
const batches = new Map();

/** Counts a grant that waits for a connection, until what it returns is called. */
export function waitForConnection() {
  ahead++;
  let waits = true;
  return () => {
    if (waits) ahead--;
    waits = false;
    for (const batch of batches.values()) batch.look();
  };
}

/** What several are asked for by. */
const PLANS = {
  sign: {
    list: "files",
    /** @param {any} result */
    answer: ({ grant }) => ({ body: grant, status: 201, retryAfter: 0 }),
    gap: (/** @type {number} */ underWay) => (underWay ? SLOW : 0),
    room: () => (ahead > AHEAD / 2 ? 0 : AHEAD - ahead),
  },
  complete: {
    list: "uploads",
    /** @param {any} result */
    answer: ({ receipt, pending, retry_after }) => ({ body: receipt, status: pending ? 202 : 200, retryAfter: retry_after ?? 0 }),
    gap: (/** @type {number} */ underWay) => (underWay ? SLOW : GATHER),
    enough: ENOUGH,
    hurry: allIdle,
  },
};

const tooMany = (/** @type {any} */ { code }) => code === "too_many_files" || code === "body_too_large";

/**
 * @typedef {object} Call
 * @property {"sign" | "parts" | "list" | "complete" | "abort" | "report"} action
 * @property {object} body
 * @property {AbortSignal} signal
 */

/**
 * Asks for one thing, once.
 *
 * @param {Pick<API.Options, "endpoint" | "headers" | "credentials">} options
 * @param {Call} call
 * @returns {Promise<Answer>}
 */
export async function call(options, { action, body, signal }) {
  const { endpoint, headers: given, credentials } = options;
  const headers = [...new Headers(typeof given === "function" ? await given() : given)];
  const request = { url: `${endpoint}/${action}`, headers, credentials };
  if (action === "sign" || action === "complete") return batchOf(action, request).add(body, signal);
  return ask({ ...request, body, signal, keepalive: action === "abort" || action === "report" });
}

/** What the server accepts. @type {typeof API.rules} */
export async function rules({ endpoint, headers, credentials, signal = new AbortController().signal }) {
  const given = typeof headers === "function" ? await headers() : headers;
  return (await ask({ url: `${endpoint}/rules`, headers: given, credentials, signal })).body;
}

/**
 * The batch of those whose requests are the same.
 *
 * @param {keyof typeof PLANS} action
 * @param {{ url: string, headers: [string, string][], credentials?: RequestCredentials }} request
 */
function batchOf(action, request) {
  const key = JSON.stringify(request);
  for (const [other, batch] of batches) if (batch.empty) batches.delete(other);
  const batch = batches.get(key) ?? new Batch(planOf(action, request));
  batches.set(key, batch);
  return batch;
}

/**
 * @param {keyof typeof PLANS} action
 * @param {{ url: string, headers: [string, string][], credentials?: RequestCredentials }} request
 * @returns {Plan}
 */
function planOf(action, request) {
  const { list, answer, ...pace } = PLANS[action];
  return {
    ...pace,
    tooMany,
    async send(bodies, settle, signal) {
      if (bodies.length === 1) {
        settle(0, await ask({ ...request, body: bodies[0], signal }), false);
        return;
      }
      const asked = now();
      await askMany({ ...request, body: { [list]: bodies }, signal }, (result) => {
        const { index, problem: refused } = result;
        if (refused) settle(index, problem(refused, refused.status, refused.retry_after ?? 0), true);
        else settle(index, { ...answer(result), asked }, false);
      });
    },
  };
}
