// The drop zone: a button that opens the dialog, what it says, and a notice under it.

import { patternsOf } from "./accept.js";
import { make } from "./dom.js";
import { ICONS, icon } from "./icons.js";

/** @import { Accepted } from "./accept.js" */
/** @import { Attributes } from "./attributes.js" */
/** @import { TextName, Words } from "./words.js" */

const FEW = 6; // types of the server's that a hint tells

export class DropZone {
  #prompt = make("slot", { name: "prompt" });
  #hint = make("slot", { name: "hint" });
  #input = make("input", { type: "file", hidden: true });
  #notice = make("p", { part: "notice", role: "alert", hidden: true });
  button = make("button", { type: "button", part: "drop" },
    make("span", { part: "icon" }, icon(ICONS.upload)),
    make("span", { className: "words" },
      make("span", { part: "prompt" }, this.#prompt), " ",
      make("span", { part: "hint" }, this.#hint)));

  /** @param {{ onClick: () => void, onFiles: (files: File[]) => void }} told onFiles gets what was chosen */
  constructor({ onClick, onFiles }) {
    this.button.onclick = onClick;
    this.#input.onchange = () => {
      onFiles([...(this.#input.files ?? [])]);
      this.#input.value = ""; // so that the same file can be chosen again
    };
  }

  /** What belongs on the page, in its order. */
  get elements() {
    return [this.button, this.#input, this.#notice];
  }

  /** Opens the browser's dialog. */
  open() {
    this.#input.click();
  }

  /**
   * Says what may be chosen.
   *
   * @param {Words} words
   * @param {Pick<Attributes, "multiple" | "required" | "maxFiles" | "capture" | "folder" | "compact">} attributes
   * @param {Accepted} accepted
   */
  describe(words, { multiple, required, maxFiles, capture, folder, compact }, { accept = "", types = [], maxSize }) {
    const patterns = [...patternsOf(accept), ...types];
    Object.assign(this.#input, { accept: accept || types.join(), multiple, webkitdirectory: folder });
    if (capture) this.#input.setAttribute("capture", capture); // which has no property everywhere
    else this.#input.removeAttribute("capture");
    this.#prompt.textContent = words.text(promptName(multiple, compact));
    this.#hint.textContent = [
      required && words.text("hint_required"),
      isShort(patterns, accept) && words.text("hint_types", { types: words.types(patterns) }),
      maxSize && words.text("hint_size", { max: words.size(maxSize) }),
      multiple && maxFiles && words.text("hint_count", { count: maxFiles }),
    ].filter(Boolean).join(" · ");
  }

  /** Shows notices in the place of the earlier ones. @param {(string | number | false)[]} notices */
  notify(...notices) {
    const text = notices.filter(Boolean).join(" ");
    this.#notice.textContent = text;
    this.#notice.hidden = !text;
  }
}

/** Whether patterns are told, which must be, of the page's own. @param {string[]} patterns @param {string} accept */
const isShort = (patterns, accept) => patterns.length > 0 && (accept !== "" || patterns.length <= FEW);

/** @param {boolean} multiple @param {boolean} compact @returns {TextName} */
function promptName(multiple, compact) {
  if (compact) return multiple ? "choose_many" : "choose_one";
  return multiple ? "drop_many" : "drop_one";
}
