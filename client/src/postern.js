// Uploads files by the grants of a Postern server: by a form, by one PUT, or in
// parts. postern.d.ts says what is exported.

import { Job, stale } from "./job.js";
import { local, unfinishedIn } from "./saved.js";
import { PAUSE, UploadError } from "./upload-error.js";

/** @import * as API from "../postern.d.ts" */

export { PAUSE, UploadError };

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
    // Nothing can come of it any more: the server says so, or its ticket opens nothing.
    if (stale(error) || (error instanceof UploadError && error.ended)) job.forget();
    throw error;
  }
}

/** @type {typeof API.unfinished} */
export function unfinished({ endpoint, scope = "", store = local() }) {
  return unfinishedIn(store, { endpoint, scope }, Date.now());
}

/** @type {typeof API.discard} */
export function discard(upload, options) {
  return new Job(upload, options).giveUp();
}
