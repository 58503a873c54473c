// The connections of all uploads of a page to one origin: who gets the next one, and how
// many a line is worth.

/**
 * What wants a connection.
 *
 * @typedef {object} Want
 * @property {number} bytes that it sends
 * @property {number} since when its upload began, in ms; the older ones go first
 * @property {AbortSignal} signal
 */

const CONNECTIONS = 6; // of HTTP/1.1, in every browser; a bucket gives no more
export const AT_ONCE = CONNECTIONS + 2; // those wait in the browser, so that no connection waits for the page
export const LARGE = 2 ** 20; // bytes; what is larger keeps a connection busy
const PENALTY = 1000; // bytes that count like a ms of age

/** A queue of what wants one of a few connections. It knows no clock and no network. */
export class Pool {
  /** @type {(Want & { large: boolean, start: () => void })[]} */
  #waiting = [];
  #small = 0;
  #large = 0;
  #pace;

  /** @param {Pick<Pace, "lanes">} pace says how many large ones may be on their way at once */
  constructor(pace) {
    this.#pace = pace;
  }

  /** Whether nothing is on its way, or wants to be. */
  get idle() {
    return this.#small + this.#large + this.#waiting.length === 0;
  }

  /**
   * Runs work once there is a connection for it. Rejects with the signal's reason if it
   * aborts before.
   *
   * @template T
   * @param {Want} want
   * @param {() => Promise<T>} work
   * @returns {Promise<T>}
   */
  async use(want, work) {
    want.signal.throwIfAborted();
    const large = want.bytes > LARGE;
    await this.#turn(want, large);
    try {
      return await work();
    } finally {
      if (large) this.#large--;
      else this.#small--;
      this.fill();
    }
  }

  /** @param {Want} want @param {boolean} large @returns {Promise<void>} */
  #turn(want, large) {
    const { signal } = want;
    return new Promise((resolve, reject) => {
      const leave = () => {
        this.#waiting = this.#waiting.filter((other) => other !== entry);
        reject(signal.reason);
        this.fill(); // it may have kept a place
      };
      const start = () => {
        signal.removeEventListener("abort", leave);
        resolve();
      };
      const entry = { ...want, large, start };
      signal.addEventListener("abort", leave);
      this.#waiting.push(entry);
      this.fill();
    });
  }

  /** Begins what there is room for. */
  fill() {
    for (let next; (next = this.#next()); next.start()) {
      this.#waiting.splice(this.#waiting.indexOf(next), 1);
      if (next.large) this.#large++;
      else this.#small++;
    }
  }

  // Small ones go in between, and large ones go on: each kind leaves a connection to the
  // other.
  #next() {
    if (this.#small + this.#large >= AT_ONCE) return null;
    const small = this.#first(false);
    const large = this.#first(true);
    const room = this.#large < Math.min(this.#pace.lanes, CONNECTIONS - 1);
    if (large && room && (!small || this.#large === 0)) return large;
    return small;
  }

  /** @param {boolean} large */
  #first(large) {
    let first = null;
    for (const entry of this.#waiting) {
      if (entry.large === large && (!first || rank(entry) < rank(first))) first = entry;
    }
    return first;
  }
}

/** @param {Want} want */
const rank = ({ since, bytes }) => since + bytes / PENALTY;

const WINDOW = 1000; // ms, over which a rate is measured
const LONG = 30_000; // ms; a part should not be on its way for longer
const START = 4; // large ones at once, while nothing is known
const MOST = 5;
const FEWEST = 1; // where two would take too long for a pause to wait for one of them

/**
 * The rate of a line, and how many large requests it is worth at once: fewer on a slow
 * one, where each would take minutes, and more of them would be lost by a pause. Where
 * fewer are slower together, because each has its own limit, they become more again.
 */
export class Pace {
  /** Bytes in a ms, or 0 while nothing is known. */
  rate = 0;
  lanes = START;
  #moved = 0;
  #from = -Infinity;
  /** The rate before it was narrowed. */
  #wide = 0;
  #fixed = false;

  /**
   * Bytes have left.
   *
   * @param {number} bytes
   * @param {number} now in ms
   * @param {number} piece how long a request is, in bytes
   */
  moved(bytes, now, piece) {
    const elapsed = now - this.#from;
    if (elapsed > 5 * WINDOW) this.#restart(now); // nothing was on its way
    this.#moved += bytes;
    if (elapsed < WINDOW || elapsed > 5 * WINDOW) return;
    const measured = this.#moved / elapsed;
    this.rate = this.rate ? (this.rate + measured) / 2 : measured;
    this.#restart(now);
    if (piece > LARGE) this.#adapt(piece);
  }

  /** @param {number} piece */
  #adapt(piece) {
    if (this.#fixed) return;
    if (this.#wide && this.rate < 0.7 * this.#wide) {
      this.#fixed = true;
      this.lanes = START;
      return;
    }
    const lanes = Math.max(FEWEST, Math.min(MOST, Math.floor((this.rate * LONG) / piece)));
    if (lanes < this.lanes) this.#wide ||= this.rate;
    this.lanes = lanes;
  }

  /** @param {number} now */
  #restart(now) {
    this.#from = now;
    this.#moved = 0;
  }
}

/** What is known of an origin. */
export class Line {
  pace = new Pace();
  pool = new Pool(this.pace);
  /** Whether a page of this origin was ever given an answer. */
  answered = false;

  /** @param {number} bytes @param {number} piece */
  moved(bytes, piece) {
    const { lanes } = this.pace;
    this.pace.moved(bytes, performance.now(), piece);
    if (this.pace.lanes > lanes) this.pool.fill();
  }
}

/** @type {Map<string, Line>} */
const lines = new Map();

/** The line to where a URL points. @param {string} url */
export function lineTo(url) {
  const { origin } = new URL(url, globalThis.location?.href);
  const line = lines.get(origin) ?? new Line();
  lines.set(origin, line);
  return line;
}

/** How fast the page has sent, in bytes a second, or 0 while nothing is known. */
export const measuredRate = () => Math.round(1000 * Math.max(0, ...Array.from(lines.values(), ({ pace }) => pace.rate)));

/** Whether no upload of the page is sending. */
export const allIdle = () => [...lines.values()].every(({ pool }) => pool.idle);
