// Uploads in Svelte, as a store; svelte.d.ts says what is exported.

import { createUploads } from "./uploads.js";

/** @import * as API from "../svelte.d.ts" */

/** @type {typeof API.postern} */
export function postern(options) {
  const { subscribe, get, ...actions } = createUploads(() => (typeof options === "function" ? options() : options));
  return {
    subscribe(run) {
      const leave = subscribe(() => run(get()));
      run(get());
      return leave;
    },
    ...actions,
  };
}
