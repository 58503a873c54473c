// Reads the answer to a batch while it comes.

/**
 * Finds the members of the first array in a JSON object, each as soon as it is whole:
 * {"results":[{…},{…}]}
 */
export class Results {
  #text = "";
  #at = 0; // what is read of it
  #start = 0; // of a member
  #depth = 0;
  #inString = false;
  #onResult;

  /** @param {(result: any) => void} onResult */
  constructor(onResult) {
    this.#onResult = onResult;
  }

  /** @param {string} piece */
  read(piece) {
    this.#text += piece;
    for (; this.#at < this.#text.length; this.#at++) this.#step(this.#text[this.#at]);
  }

  /** @param {string} char */
  #step(char) {
    if (this.#inString) {
      if (char === "\\") this.#at++;
      else if (char === '"') this.#inString = false;
    } else if (char === '"') this.#inString = true;
    else if (char === "{" || char === "[") this.#open();
    else if (char === "}" || char === "]") this.#close();
  }

  #open() {
    if (++this.#depth === 3) this.#start = this.#at;
  }

  #close() {
    if (this.#depth-- !== 3) return;
    this.#onResult(JSON.parse(this.#text.slice(this.#start, this.#at + 1)));
    this.#text = this.#text.slice(this.#at + 1);
    this.#at = -1;
  }
}
