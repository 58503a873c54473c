// Gathers what is asked of the server at the same time into one request.

/** @typedef {(answer: any) => void} Settle */
/** @typedef {{ body: object, resolve: Settle, reject: Settle, signal: AbortSignal, left: () => void }} Entry */

/**
 * Sends one request for several bodies, and settles each by its index as soon as the
 * answer has it. What it has not settled fails with what it throws.
 *
 * @callback Send
 * @param {object[]} bodies
 * @param {(index: number, answer: any, failed: boolean) => void} settle
 * @param {AbortSignal} signal aborts when nobody waits any more
 * @returns {Promise<void>}
 */

/**
 * @typedef {object} Plan
 * @property {Send} send
 * @property {(underWay: number) => number} gap ms between the beginnings of two requests,
 *   by how many are on their way
 * @property {() => boolean} [hurry] whether there is nothing to wait for
 * @property {number} [enough] how many do not wait for more
 * @property {() => number} [room] how many may be asked for now
 * @property {(error: any) => boolean} [tooMany] whether fewer at once might work
 */

const MOST = 100; // of the protocol

/**
 * What waits, of one kind. The first request begins with the end of the task in which
 * it was asked for, and what is asked for meanwhile goes with the next.
 */
export class Batch {
  /** @type {Entry[]} */
  #waiting = [];
  #plan;
  #most = MOST;
  #underWay = 0;
  #due = false; // a look at what waits, at the end of the task
  #later = false; // one when the gap is over
  #last = -Infinity; // when the last request began, in ms
  #now;

  /** @param {Plan} plan @param {() => number} now in ms */
  constructor(plan, now = () => performance.now()) {
    this.#plan = plan;
    this.#now = now;
  }

  /** Whether it may be forgotten. */
  get empty() {
    return this.#waiting.length + this.#underWay === 0;
  }

  /**
   * Asks for one. Rejects with the signal's reason as soon as that aborts.
   *
   * @param {object} body
   * @param {AbortSignal} signal
   * @returns {Promise<any>}
   */
  add(body, signal) {
    return new Promise((resolve, reject) => {
      if (signal.aborted) return reject(signal.reason);
      /** @type {Entry} */
      const entry = { body, signal, left() {}, resolve: () => {}, reject: () => {} };
      const abort = () => {
        this.#waiting = this.#waiting.filter((other) => other !== entry);
        reject(signal.reason);
        entry.left();
      };
      /** @param {Settle} settle @returns {Settle} */
      const once = (settle) => (answer) => {
        signal.removeEventListener("abort", abort);
        settle(answer);
      };
      entry.resolve = once(resolve);
      entry.reject = once(reject);
      signal.addEventListener("abort", abort);
      this.#waiting.push(entry);
      this.look();
    });
  }

  /** Looks at the end of the task whether a request may begin. */
  look() {
    if (this.#due) return;
    this.#due = true;
    setTimeout(() => {
      this.#due = false;
      this.#begin();
    }, 0);
  }

  #begin() {
    const { gap, hurry = () => false, room = () => MOST, enough = this.#most } = this.#plan;
    const count = Math.min(this.#waiting.length, this.#most, room());
    if (count <= 0) return;
    const wait = this.#last + gap(this.#underWay) - this.#now();
    if (wait > 0 && count < Math.min(enough, this.#most) && !hurry()) {
      this.#lookIn(wait);
      return;
    }
    this.#last = this.#now();
    this.#run(this.#waiting.splice(0, count));
    if (this.#waiting.length) this.look();
  }

  /** @param {number} ms */
  #lookIn(ms) {
    if (this.#later) return;
    this.#later = true;
    setTimeout(() => {
      this.#later = false;
      this.#begin();
    }, ms);
  }

  /** @param {Entry[]} entries */
  async #run(entries) {
    this.#underWay++;
    const open = new Set(entries);
    const stop = new AbortController();
    /** @param {Entry} entry */
    const close = (entry) => {
      open.delete(entry);
      if (!open.size) stop.abort();
    };
    for (const entry of entries) entry.left = () => close(entry);
    /** @param {number} index @param {any} answer @param {boolean} failed */
    const settle = (index, answer, failed) => {
      const entry = entries[index];
      if (!open.delete(entry)) return;
      if (failed) entry.reject(answer);
      else entry.resolve(answer);
    };
    try {
      await this.#plan.send(entries.map(({ body }) => body), settle, stop.signal);
    } catch (error) {
      if (entries.length > 1 && this.#plan.tooMany?.(error)) {
        this.#most = Math.ceil(entries.length / 2);
        this.#waiting.unshift(...open);
      } else {
        for (const entry of open) entry.reject(error);
      }
    } finally {
      this.#underWay--;
      this.look();
    }
  }
}
