// The types of @postern-go/client/svelte, for Svelte 4 and 5.

import type { HTMLAttributes } from "svelte/elements";
import type { PosternUploadListeners, PosternUploadProps } from "./element-props.js";
import type { PosternUpload } from "./postern-upload.js";
import type { Actions, Uploads, UploadsOptions } from "./uploads.js";

export type { Actions, Failed, Upload, Uploads, UploadsOptions } from "./uploads.js";

/** A store by Svelte's contract. */
export interface PosternStore extends Actions {
  subscribe(run: (uploads: Uploads) => void): () => void;
}

/**
 * A store of uploads. When its last subscriber leaves, as a component does that uses
 * $uploads, what is on its way is paused; it goes on with the next one.
 *
 *     const uploads = postern({ endpoint: "/uploads" });
 *     // $uploads.progress, $uploads.errors, uploads.upload(files)
 */
export function postern(options: UploadsOptions | (() => UploadsOptions)): PosternStore;

declare module "svelte/elements" {
  export interface SvelteHTMLElements {
    /** Import "@postern-go/client/element", which defines it. */
    "postern-upload": HTMLAttributes<PosternUpload> & PosternUploadProps & PosternUploadListeners<"on" | "on:">;
  }
}
