// Uploads in Vue; vue.d.ts says what is exported.

import { computed, getCurrentScope, onScopeDispose, shallowRef, toValue } from "vue";
import { createUploads } from "./uploads.js";

/** @import * as API from "../vue.d.ts" */

/** @type {typeof API.usePostern} */
export function usePostern(options) {
  const { subscribe, get, ...actions } = createUploads(() => toValue(options));
  const state = shallowRef(get());
  const leave = subscribe(() => (state.value = get()));
  if (getCurrentScope()) onScopeDispose(leave);
  return {
    uploads: computed(() => state.value.uploads),
    progress: computed(() => state.value.progress),
    uploading: computed(() => state.value.uploading),
    errors: computed(() => state.value.errors),
    ...actions,
  };
}
