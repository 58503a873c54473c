// Runs uploads. Those of one file take turns: what was given up may be on its way out.

import { PAUSE, UploadError, discard, unfinished, upload } from "./postern.js";
import { idOf } from "./upload-item.js";

/** @import { Options, Progress, State, Stored } from "../postern.d.ts" */
/** @import { UploadItem } from "./upload-item.js" */

/**
 * Whom the uploads belong to.
 *
 * @typedef {object} Owner
 * @property {() => Options} options
 * @property {(file: UploadItem["file"]) => Options["metadata"] | Promise<Options["metadata"]>} metadata
 * @property {(item: UploadItem, signal: AbortSignal) => Promise<void>} prepare makes of a file what goes up
 * @property {(item: UploadItem, progress: Progress) => void} onProgress
 * @property {(item: UploadItem, state: State) => void} [onState] is told of what people wait for
 * @property {(item: UploadItem, receipt: Stored) => void} onComplete
 * @property {(item: UploadItem, loaded: number) => void} onPause is told how many bytes are kept
 * @property {(item: UploadItem) => void} onFileNeeded
 * @property {(item: UploadItem, error: Error) => void} onError
 * @property {() => void} [onGivenUp] is called when nothing is left of an upload
 */

export class Transfers {
  #owner;
  /** The last of each file's turns. @type {Map<string, Promise<void>>} */
  #turns = new Map();
  /** @type {WeakMap<UploadItem, AbortController>} */
  #stops = new WeakMap();
  /** What each upload was begun with. @type {WeakMap<UploadItem, Options>} */
  #options = new WeakMap();

  /** @param {Owner} owner */
  constructor(owner) {
    this.#owner = owner;
  }

  /** @param {UploadItem} item */
  start(item) {
    const stop = new AbortController();
    this.#stops.set(item, stop);
    this.#inTurn(item, async () => {
      if (stop.signal.aborted || item.receipt) return;
      try {
        await this.#run(item, stop.signal);
      } catch (thrown) {
        await this.#end(item, stop.signal, thrown);
      }
    });
  }

  /** @param {UploadItem} item */
  pause(item) {
    this.#stops.get(item)?.abort(PAUSE);
  }

  /** Leaves nothing of it on the server, once that is asked. @param {UploadItem} item */
  giveUp(item) {
    this.drop(item);
    const { file, receipt } = item;
    if (!file || receipt) return;
    const options = this.#options.get(item) ?? this.#owner.options();
    this.#inTurn(item, async () => {
      await discard(file, options).catch(() => {}); // another tab has it
      this.#owner.onGivenUp?.();
    });
  }

  /** Stops it here: another item goes on with the file. @param {UploadItem} item */
  drop(item) {
    this.#stops.get(item)?.abort();
  }

  /** @param {UploadItem} item @param {AbortSignal} signal */
  async #run(item, signal) {
    await this.#owner.prepare(item, signal);
    const { file, path } = item;
    if (!file || signal.aborted) return;
    const options = {
      ...this.#owner.options(),
      signal,
      path: path || undefined,
      metadata: await this.#owner.metadata(file),
      onProgress: (/** @type {Progress} */ progress) => {
        if (!signal.aborted) this.#owner.onProgress(item, progress);
      },
      onState: (/** @type {State} */ state) => {
        if (!signal.aborted) this.#owner.onState?.(item, state);
      },
    };
    this.#options.set(item, options);
    const receipt = await upload(file, options);
    if (item.busy) this.#owner.onComplete(item, receipt);
  }

  /**
   * @param {UploadItem} item
   * @param {AbortSignal} signal
   * @param {unknown} thrown by code of the page, too
   */
  async #end(item, signal, thrown) {
    const code = thrown instanceof UploadError && thrown.code;
    if (code === "paused") this.#owner.onPause(item, await this.#kept(item));
    if (signal.aborted) return;
    if (code === "file_needed") this.#owner.onFileNeeded(item);
    else this.#owner.onError(item, thrown instanceof Error ? thrown : new Error("unexpected", { cause: thrown }));
  }

  // What was on its way is sent again.
  /** @param {UploadItem} item */
  async #kept(item) {
    const options = this.#options.get(item) ?? this.#owner.options();
    return (await unfinished(options)).find((kept) => item.file && idOf(kept) === idOf(item.file))?.loaded ?? 0;
  }

  /** @param {UploadItem} item @param {() => Promise<void>} work */
  #inTurn({ id }, work) {
    this.#turns.set(id, Promise.resolve(this.#turns.get(id)).then(work, work));
  }
}
