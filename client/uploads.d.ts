// What usePostern of React and Vue, and the store of Svelte, have in common.

import type { Options, Retrying, Stored, Unfinished } from "./postern.js";

/** As for upload of postern.js; they may change, for what begins or goes on after it. */
export interface UploadsOptions extends Omit<Options, "signal" | "path" | "metadata" | "onProgress" | "onState"> {
  /** Goes to the server with the file's name, type and size; a function is called with each file. */
  metadata?: Options["metadata"] | ((file: File | Unfinished) => Options["metadata"] | Promise<Options["metadata"]>);
}

/** One upload, as it is now. It never changes: another one takes its place. */
export interface Upload {
  /** Stays the same, and is no other's on this page. */
  readonly id: number;
  readonly file: File | Unfinished;
  readonly status: "uploading" | "paused" | "done" | "failed";
  /** How many bytes have been sent, of file.size. */
  readonly loaded: number;
  /** Whether pausing keeps what was sent. */
  readonly resumable: boolean;
  /** With "done". */
  readonly receipt: Stored | null;
  /** With "failed": an UploadError, unless code of the page threw. */
  readonly error: Error | null;
  /** What is tried again by itself, and why, or null. */
  readonly retrying: Retrying | null;
  /** Whether another tab uploads the file, and this one waits for it. */
  readonly elsewhere: boolean;
}

/** An upload that has failed. */
export type Failed = Upload & { readonly error: Error };

/** The uploads of a component. */
export interface Uploads {
  /** In the order in which they began. */
  readonly uploads: readonly Upload[];
  /** How much of all has been sent, from 0 to 1, those left out that have failed. */
  readonly progress: number;
  /** Whether something is on its way. */
  readonly uploading: boolean;
  /** Those that have failed. */
  readonly errors: readonly Failed[];
}

/** They need no binding, and stay the same. Without an id they mean all uploads. */
export interface Actions {
  /**
   * Begins uploads, with the folders in which the files were as their path. Resolves,
   * when each is complete, has failed or was cancelled, to the receipts of those that
   * are complete. It does not reject: see errors.
   */
  upload(files: File | Unfinished | Iterable<File | Unfinished> | null | undefined): Promise<Stored[]>;
  /** Pauses what is on its way. What is not resumable begins again later. */
  pause(id?: number): void;
  /** Goes on with what is paused; with an id, tries again what has failed, too. */
  resume(id?: number): void;
  /**
   * Takes uploads from the list, and gives those up that are not complete, here and on
   * the server. What is complete stays stored.
   */
  cancel(id?: number): void;
  /** Takes from the list what is complete or has failed. */
  clear(id?: number): void;
}
