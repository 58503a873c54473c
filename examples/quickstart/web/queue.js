// Queue runs at most `limit` jobs at once, in the order in which they came.
export class Queue {
  #limit;
  #running = 0;
  #waiting = [];

  constructor(limit) {
    this.#limit = limit;
  }

  // add runs the job when its turn comes. A job whose signal is aborted gives up
  // its place.
  add(job, signal) {
    const entry = { job, drop: () => (this.#waiting = this.#waiting.filter((e) => e !== entry)) };
    signal.addEventListener("abort", entry.drop, { once: true });
    this.#waiting.push(entry);
    this.#next();
  }

  #next() {
    while (this.#running < this.#limit && this.#waiting.length > 0) {
      const { job } = this.#waiting.shift();
      this.#running++;
      job().finally(() => {
        this.#running--;
        this.#next();
      });
    }
  }
}
