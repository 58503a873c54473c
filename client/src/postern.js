// Uploads files by the grants of a Postern server: by a form, by one PUT, or in
// parts. postern.d.ts says what is exported.

import { Job } from "./job.js";
import { local, unfinishedIn } from "./saved.js";
import { rules } from "./server.js";
import { busyNames } from "./tabs.js";
import { PAUSE, UploadError } from "./upload-error.js";

/** @import * as API from "../postern.d.ts" */

export { PAUSE, UploadError, rules };

/** @type {typeof API.upload} */
export async function upload(file, options) {
  return new Job(file, options).run();
}

/** @type {typeof API.unfinished} */
export async function unfinished({ endpoint, scope = "", store = local() }) {
  return unfinishedIn(store, { endpoint, scope }, Date.now(), await busyNames());
}

/** @type {typeof API.discard} */
export async function discard(upload, options) {
  return new Job(upload, options).giveUp();
}
