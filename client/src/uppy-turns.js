// One file's upload under Uppy's buttons: paused, taken up again, or ended.

import { PAUSE, UploadError } from "./postern.js";

export class Turns {
  /** Whether nothing is to come of it any more. */
  ended = false;
  #paused;
  #stop = new AbortController();
  #wake = () => {};

  /** @param {boolean} paused */
  constructor(paused) {
    this.#paused = paused;
  }

  pause() {
    this.#paused = true;
    this.#stop.abort(PAUSE);
  }

  resume() {
    this.#paused = false;
    this.#wake();
  }

  end() {
    this.ended = true;
    this.#stop.abort();
    this.#wake();
  }

  /**
   * Uploads, once more after each pause.
   *
   * @template T
   * @param {(signal: AbortSignal) => Promise<T>} upload
   * @param {() => Promise<void>} discard what a pause has kept, if it ends there
   * @returns {Promise<T>}
   */
  async take(upload, discard) {
    for (;;) {
      await this.#unpaused();
      if (this.ended) {
        await discard();
        throw new UploadError("aborted");
      }
      this.#stop = new AbortController();
      try {
        return await upload(this.#stop.signal);
      } catch (error) {
        if (!(error instanceof UploadError && error.code === "paused")) throw error;
      }
    }
  }

  async #unpaused() {
    while (this.#paused && !this.ended) await new Promise((/** @type {(value: void) => void} */ wake) => (this.#wake = wake));
  }
}
