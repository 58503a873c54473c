// What the page's Content-Security-Policy has forbidden.

import { UploadError } from "./upload-error.js";

const SOON = 50; // ms; the browser tells it after the request has failed

/** Addresses without their queries. @type {Set<string>} */
const blocked = new Set();

/** @param {string} address */
const plain = (address) => address.replace(/[?#].*/, "");

globalThis.document?.addEventListener("securitypolicyviolation", ({ disposition, effectiveDirective, blockedURI }) => {
  if (disposition === "enforce" && effectiveDirective === "connect-src") blocked.add(plain(blockedURI));
});

/**
 * Fails if the page forbids what could not be sent.
 *
 * @param {string} url of a request that has failed
 */
export async function permit(url) {
  if (!globalThis.document) return;
  await new Promise((soon) => setTimeout(soon, SOON));
  const { href, origin } = new URL(url, location.href);
  if (!blocked.has(plain(href)) && !blocked.has(origin)) return;
  throw new UploadError("blocked_by_policy", {
    detail: `The connect-src of the page's Content-Security-Policy lacks ${origin}.`,
  });
}
