"use client";
// Uploads in React; react.d.ts says what is exported.

import { useEffect, useRef, useState, useSyncExternalStore } from "react";
import { createUploads } from "./uploads.js";

/** @import * as API from "../react.d.ts" */

/** @type {typeof API.usePostern} */
export function usePostern(options) {
  const latest = useRef(options);
  useEffect(() => {
    latest.current = options;
  });
  const [{ subscribe, get, ...actions }] = useState(() => createUploads(() => latest.current));
  return { ...useSyncExternalStore(subscribe, get, get), ...actions };
}
