// One upload of a file at a time, in all tabs, by the Web Locks API. Where a browser has
// none, or a page is not secure, tabs know nothing of each other.

const ANSWER = 1000; // ms in which another tab takes a result
const FREE = 1000; // ms in which what has just ended here is free

const locks = () => globalThis.navigator?.locks;

/**
 * Runs work while no other tab does anything with what has the same name. What waits
 * for another tab takes over its result, if that was asked for the same.
 *
 * @template T
 * @param {object} given
 * @param {string} given.name
 * @param {string} given.what is asked for
 * @param {AbortSignal} given.signal ends the waiting
 * @param {(elsewhere: boolean) => void} given.onElsewhere is told whether another tab does it
 * @param {() => Promise<T>} given.work
 * @returns {Promise<T>}
 */
export async function once({ name, what, signal, onElsewhere, work }) {
  const known = locks();
  if (!known) return work();
  let begun = false;
  const lead = async () => {
    begun = true;
    const value = await work();
    await tell(name, { what, value });
    return { value };
  };
  /** @type {{ value: T } | null} */
  let first;
  try {
    first = await known.request(name, { ifAvailable: true }, (lock) => (lock ? lead() : null));
  } catch (error) {
    if (begun) throw error;
    return work(); // the page's origin has no locks
  }
  return first ? first.value : follow({ name, what, signal, onElsewhere, lead });
}

/**
 * @template T
 * @param {{ name: string, what: string, signal: AbortSignal, onElsewhere: (elsewhere: boolean) => void, lead: () => Promise<{ value: T }> }} given
 * @returns {Promise<T>}
 */
async function follow({ name, what, signal, onElsewhere, lead }) {
  const channel = new BroadcastChannel(name);
  const heard = new AbortController();
  /** @type {T | undefined} */
  let value;
  channel.onmessage = ({ data }) => {
    if (!data) return;
    channel.postMessage(null); // it may go on
    if (data.what !== what) return;
    value = data.value;
    heard.abort();
  };
  onElsewhere(true);
  try {
    const led = await locks().request(name, { signal: AbortSignal.any([signal, heard.signal]) }, () => {
      channel.onmessage = null;
      onElsewhere(false); // the other has died, or could not
      return lead();
    });
    return led.value;
  } catch (error) {
    if (!heard.signal.aborted || value === undefined) throw error;
    return value;
  } finally {
    channel.close();
  }
}

/** @type {Promise<Set<string | undefined>> | null} */
let looking = null;

// The names that somebody waits for. Uploads that end at the same time ask once: the
// answer names all locks there are.
function waitedFor() {
  looking ??= new Promise((done) => setTimeout(done)).then(async () => {
    looking = null;
    const { pending = [] } = await locks().query();
    return new Set(pending.map(({ name }) => name));
  });
  return looking;
}

/** Tells those that wait for it, before they begin. @param {string} name @param {object} result */
async function tell(name, result) {
  if (!(await waitedFor()).has(name)) return;
  const channel = new BroadcastChannel(name);
  await new Promise((resolve) => {
    channel.onmessage = resolve;
    setTimeout(resolve, ANSWER);
    channel.postMessage(result);
  });
  channel.close();
}

/**
 * Runs work unless another tab has what is named so: then it resolves to false.
 *
 * @param {string} name
 * @param {() => Promise<void>} work
 */
export async function unlessElsewhere(name, work) {
  let begun = false;
  const run = async () => {
    begun = true;
    await work();
    return true;
  };
  const known = locks();
  if (!known) return run();
  try {
    return await known.request(name, { signal: AbortSignal.timeout(FREE) }, run);
  } catch (error) {
    if (begun) throw error;
    return error instanceof DOMException && error.name === "TimeoutError" ? false : run();
  }
}

/** The names of what is being done, here or in another tab. @returns {Promise<Set<string | undefined>>} */
export async function busyNames() {
  try {
    const { held = [] } = await locks().query();
    return new Set(held.map(({ name }) => name));
  } catch {
    return new Set();
  }
}
