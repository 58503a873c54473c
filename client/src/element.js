// <postern-upload>, a form control; postern-upload.d.ts says what it offers.

import { patternsOf, refusalOf } from "./accept.js";
import { Attributes, takeOver } from "./attributes.js";
import { languageOf, preconnect } from "./dom.js";
import { DropZone } from "./drop-zone.js";
import { MOST, dropped, filesIn, isOpened } from "./folders.js";
import { cleanName } from "./names.js";
import { UploadError, unfinished } from "./postern.js";
import { nextOf } from "./queue.js";
import { redrawable, redrawn } from "./resize.js";
import { ServerRules } from "./rules.js";
import { css } from "./style.js";
import { Transfers } from "./transfers.js";
import { UploadItem, idOf } from "./upload-item.js";
import { UploadList } from "./upload-list.js";
import { Words, load } from "./words.js";

/** @import * as API from "../postern-upload.d.ts" */
/** @import { Accepted } from "./accept.js" */
/** @import { Kept } from "./kept.js" */
/** @import { Options, Rules, Stored, Unfinished } from "../postern.d.ts" */
/** @import { AllAction } from "./summary.js" */

// What the window tells: the connection is back or gone, or another tab has ended
// what is listed here.
const OUTSIDE = ["online", "offline", "storage"];
// What the server says of a file that its rules would not have.
const AGAINST_RULES = ["type_not_allowed", "size_too_large", "size_too_small"];
const AT_ONCE = 8; // files that are added in one task, as many as are shown
const AHEAD = 100; // ms that the first have to ask for their grants before more are added
const FRAME = 16; // ms that the page has to be drawn
const MANY = 20; // files, from which the form is not brought up to date with each
const SOON = 100; // ms from one such time to the next

const sheet = globalThis.CSSStyleSheet && new CSSStyleSheet(); // servers have none
sheet?.replaceSync(css);

export class PosternUpload extends Attributes {
  /** @readonly */
  static formAssociated = true;
  static observedAttributes = [
    "accept", "multiple", "required", "name", "max-size", "max-files", "lang", "unfinished", "endpoint", "scope",
    "capture", "folder", "compact", "previews", "credentials",
  ];

  #internals = this.attachInternals();
  #root = this.attachShadow({ mode: "open", delegatesFocus: true });
  #disabled = false; // by a fieldset, too
  /** @type {API.Texts} */
  #texts = {};
  #words = new Words("en", {});
  /** @type {Options["headers"]} */
  #headers;
  /** @type {API.PosternUpload["metadata"]} */
  #metadata;
  #keys = ""; // of which the page has been told
  #named = ""; // under which the form has them
  #restored = 0; // how often what is unfinished was asked for
  #fresh = false; // whether what is unfinished is to be listed
  #held = false; // the refreshing, which the end of a loop does once
  /** What brings files back, once it is loaded. @type {typeof import("./kept.js") | null} */
  #keeper = null;
  #seen = false; // by a person
  #rules = new ServerRules(() => this.#options(), () => this.#translate());
  #sight = new IntersectionObserver((entries) => entries.some(({ isIntersecting }) => isIntersecting) && this.#onSight());
  /** How many lists of files are being added. */
  #adding = 0;
  #cleared = 0; // how often
  #due = false; // whether it is refreshed soon
  #transfers = new Transfers({
    options: () => this.#options(),
    metadata: (file) => this.#metadataOf(file),
    prepare: (item, signal) => this.#prepare(item, signal),
    onProgress: (item, progress) => {
      const { resumable } = item;
      item.progress(progress);
      if (resumable === item.resumable) this.#list.progress(item);
      else this.#becomeResumable(item);
      if (item.file) this.#tell("postern-progress", { file: item.file, ...progress });
    },
    onState: (item, waiting) => {
      item.hold(waiting);
      this.#list.paint(item);
    },
    onComplete: (item, receipt) => {
      item.complete(receipt);
      this.#keeper?.sweep();
      this.#show(item);
      this.#tell("postern-complete", receipt);
    },
    onPause: (item, loaded) => {
      item.loaded = loaded;
      this.#list.paint(item);
    },
    onFileNeeded: (item) => {
      item.needFile();
      this.#show(item);
    },
    onError: (item, error) => {
      this.#keeper?.sweep();
      this.#fail(item, error);
    },
    onGivenUp: () => this.#keeper?.sweep(),
  });

  #drop = new DropZone({ onClick: () => this.open(), onFiles: (files) => this.#add(files) });
  #list = new UploadList(this.#words, {
    onMain: (item) => this.#onMain(item),
    onEnd: (item) => this.#onEnd(item),
    onAll: (action) => this.#onAll(action),
  });

  constructor() {
    super();
    this.#root.adoptedStyleSheets = [sheet];
    this.#root.append(...this.#drop.elements, ...this.#list.elements);
    this.#internals.role = "group";
    this.addEventListener("click", (event) => {
      if (event.composedPath()[0] === this) this.open(); // on its label
    });
    for (const type of /** @type {const} */ (["dragover", "dragleave", "drop"])) {
      this.addEventListener(type, (event) => this.#onDrag(event));
    }
    this.addEventListener("paste", ({ clipboardData }) => {
      if (clipboardData?.types.includes("Files")) this.add(clipboardData);
    });
    takeOver(this, ["texts", "headers", "metadata"]);
  }

  get form() { return this.#internals.form; }
  get labels() { return this.#internals.labels; }
  get validity() { return this.#internals.validity; }
  get validationMessage() { return this.#internals.validationMessage; }
  get willValidate() { return this.#internals.willValidate; }
  checkValidity() { return this.#internals.checkValidity(); }
  reportValidity() { return this.#internals.reportValidity(); }

  get type() { return this.localName; }
  get value() { return this.receipts.map(({ key }) => key); }
  get receipts() { return this.#list.items.flatMap(({ receipt }) => receipt ?? []); }

  get headers() { return this.#headers; }
  set headers(headers) {
    this.#headers = headers;
    this.#rules.outdate(); // who asks may be another
    if (this.#seen) this.#askRules();
  }

  get metadata() { return this.#metadata; }
  set metadata(metadata) { this.#metadata = metadata; }

  /** @returns {API.Texts} */
  get texts() { return this.#texts; }
  /** @param {API.Texts | null} texts */
  set texts(texts) {
    this.#texts = texts ?? {};
    this.#translate();
  }

  /** @returns {void} */
  open() {
    if (this.#disabled) return;
    this.#connect();
    if (this.#keeper && this.unfinished && !this.folder && !this.capture) this.#choose(this.#keeper);
    else this.#drop.open();
  }

  // By the dialog whose files can be opened again.
  /** @param {typeof import("./kept.js")} keeper */
  async #choose(keeper) {
    const { accept = "", types = [] } = this.#accepted(this.#rules.told);
    const files = await keeper.choose({ patterns: [...patternsOf(accept), ...types], multiple: this.multiple });
    if (!files) this.#drop.open();
    else if (files.length && !this.#disabled) this.#add(files);
  }

  /** @param {DataTransfer | Iterable<File>} source */
  add(source) {
    if (this.#disabled) return;
    if (source instanceof DataTransfer) this.#addDropped(source);
    else this.#add([...source]);
  }

  /** @param {DataTransfer} transfer */
  #addDropped(transfer) {
    const { files, directories } = dropped(transfer, this.unfinished ? this.#keeper?.noteDropped : undefined);
    const folders = directories.length > 0;
    if (!files.length && !folders) {
      this.#drop.notify(this.#words.text("no_files"));
      return;
    }
    if (files.length || !this.multiple) this.#add(files, { folders: folders && !this.multiple });
    if (folders && this.multiple) this.#addInside(directories);
  }

  // While folders are read, the form waits, and the list may be cleared.
  /** @param {FileSystemDirectoryEntry[]} directories */
  async #addInside(directories) {
    const cleared = this.#cleared;
    this.#adding++;
    this.#refresh();
    const { files, left } = await filesIn(directories);
    this.#adding--;
    if (cleared !== this.#cleared) this.#refresh();
    else this.#add(files, { empty: !files.length, beyond: left.map(cleanName) });
  }

  /** @param {string} key */
  dismiss(key) {
    for (const item of this.#list.items) if (item.receipt?.key === key) this.#take(item);
  }

  clear() {
    this.#cleared++;
    this.#hold(() => {
      for (const item of this.#list.items) this.#remove(item);
    });
    this.#drop.notify();
    this.#refresh({ tell: false });
  }

  pause() {
    this.#forEach((item) => item.active && this.#pause(item));
  }

  resume() {
    this.#forEach((item) => item.state === "paused" && this.#goOn(item));
  }

  connectedCallback() {
    for (const type of OUTSIDE) addEventListener(type, this.#onOutside);
    addEventListener("beforeunload", this.#onLeave);
    addEventListener("visibilitychange", this.#onVisible);
    this.#sight.observe(this);
    this.#translate();
    this.#restore();
  }

  // An element that is only moved goes on.
  disconnectedCallback() {
    for (const type of OUTSIDE) removeEventListener(type, this.#onOutside);
    removeEventListener("beforeunload", this.#onLeave);
    removeEventListener("visibilitychange", this.#onVisible);
    this.#sight.disconnect();
    queueMicrotask(() => {
      for (const item of this.#list.items) {
        if (this.isConnected || item.state !== "uploading") continue;
        this.#transfers.pause(item);
        this.#wait(item);
      }
    });
  }

  /** @param {string} name */
  attributeChangedCallback(name) {
    if (name === "endpoint" || name === "credentials") this.#rules.outdate({ elsewhere: true });
    this.#translate();
    if (this.#seen) this.#askRules();
    if (!["unfinished", "endpoint", "scope"].includes(name)) return;
    this.#bring([]); // what is another's goes at once
    this.#restore();
  }

  /** @param {boolean} disabled */
  formDisabledCallback(disabled) {
    this.#disabled = disabled;
    this.#drop.button.disabled = disabled;
    this.#list.disabled = disabled;
  }

  formResetCallback() {
    this.clear();
  }

  /** @param {string} state @param {"restore" | "autocomplete"} mode */
  formStateRestoreCallback(state, mode) {
    if (mode !== "restore") return;
    /** @type {Stored[]} */
    const receipts = JSON.parse(state) ?? [];
    for (const receipt of receipts) this.#insert(UploadItem.stored(receipt));
    this.#refresh({ tell: false });
  }

  /** @param {DragEvent} event */
  #onDrag(event) {
    const { dataTransfer, type } = event;
    if (!dataTransfer || !isOpened(dataTransfer)) return;
    event.preventDefault(); // else the browser opens it, and the page is gone
    dataTransfer.dropEffect = this.#disabled ? "none" : "copy";
    if (type === "dragover" && !this.#internals.states.has("over")) this.#connect();
    this.#setState("over", type === "dragover" && !this.#disabled);
    if (type === "drop") this.add(dataTransfer);
  }

  /** @param {Event} event */
  #onLeave = (event) => {
    if (this.leaveWarning && (this.#adding || this.#list.items.some(({ atRisk }) => atRisk))) event.preventDefault();
  };

  #onSight() {
    this.#seen = true;
    this.#sight.disconnect();
    this.#askRules();
  }

  #onVisible = () => {
    if (this.#seen && document.visibilityState === "visible") this.#askRules();
  };

  #onOutside = () => {
    this.#restore({ fresh: false });
    this.#list.paintAll();
  };

  // Lists what was cut off when the page was left, and takes away what has ended
  // elsewhere since.
  async #restore({ fresh = true } = {}) {
    const turn = ++this.#restored;
    this.#fresh ||= fresh;
    const options = this.#options();
    const wanted = this.unfinished && this.isConnected;
    const listed = wanted ? await unfinished(options) : [];
    const kept = wanted && this.#fresh ? await this.#keptOf(options, listed) : undefined;
    if (turn === this.#restored) this.#bring(listed, kept); // or it was asked for again meanwhile
  }

  /** @param {Options} options @param {Unfinished[]} listed */
  async #keptOf(options, listed) {
    const keeper = await this.#loadKeeper();
    keeper?.sweep();
    return keeper?.keptOf(options, listed);
  }

  async #loadKeeper() {
    try {
      return (this.#keeper ??= await import("./kept.js"));
    } catch {
      return null; // people choose their files again
    }
  }

  /** @param {UploadItem} item */
  async #becomeResumable(item) {
    this.#list.paint(item);
    const { file } = item;
    if (!item.resumable || !this.unfinished || !(file instanceof File)) return;
    const options = this.#options();
    (await this.#loadKeeper())?.keep(options, file, this.keepSize);
  }

  /** @param {Unfinished[]} listed @param {Map<Unfinished, Kept>} [kept] */
  #bring(listed, kept) {
    const found = new Map(listed.map((file) => [idOf(file), file]));
    for (const item of this.#list.items) {
      if (item.leftOver && !found.has(item.id)) this.#remove(item, { keep: true });
      found.delete(item.id);
    }
    if (this.#fresh) for (const file of found.values()) this.#insert(UploadItem.cutOff(file, kept?.get(file)));
    this.#fresh = false;
    this.#refresh();
  }

  /** @returns {Options} */
  #options() {
    const { endpoint, scope, headers, credentials, checksum } = this;
    return {
      endpoint: endpoint.replace(/\/$/, ""),
      scope,
      headers,
      credentials: credentials || undefined,
      checksum: checksum || undefined, // false would be less than the default
    };
  }

  // Files are about to come.
  #connect() {
    const { origin } = this.#rules.current ?? {};
    if (origin && !this.#list.items.some(({ active }) => active)) preconnect(origin);
  }

  // Asks what the server accepts, unless the page says it all.
  #askRules() {
    if (this.isConnected && !(this.hasAttribute("accept") && this.hasAttribute("max-size"))) this.#rules.ask();
  }

  /**
   * What is accepted, as the page says it or else the server.
   *
   * @param {Rules | null} rules
   * @returns {Accepted}
   */
  #accepted(rules) {
    const { types = [], min_size: minSize, max_size: maxSize } = rules ?? {};
    return {
      accept: this.accept,
      types: this.hasAttribute("accept") || types.includes("*/*") ? [] : types,
      maxSize: this.hasAttribute("max-size") ? this.maxSize : maxSize,
      minSize,
    };
  }

  /** @param {UploadItem} item @param {AbortSignal} signal */
  async #prepare(item, signal) {
    const { file } = item;
    const wish = this.#wish;
    if (!(file instanceof File) || !redrawable(file, wish)) return;
    const made = await redrawn(file, wish, signal);
    const before = this.#list.find(idOf(made)); // which was cut off
    if (before?.leftOver) this.#remove(before, { keep: true });
    item.replace(made);
    const refusal = refusalOf(made, this.#accepted(this.#rules.current));
    if (refusal) throw refusal;
  }

  /** What becomes of images before they go up. */
  get #wish() {
    return { most: this.resize, to: this.convert };
  }

  /** @param {UploadItem["file"]} file */
  #metadataOf(file) {
    const metadata = this.#metadata;
    if (typeof metadata !== "function") return metadata;
    return file instanceof File ? metadata(file) : undefined;
  }

  /** @param {File[]} files @param {{ folders?: boolean, empty?: boolean, beyond?: string[] }} of beyond are the names of what is too much */
  #add(files, { folders = false, empty = false, beyond = [] } = {}) {
    const { multiple, maxFiles } = this;
    const accepted = this.#accepted(this.#rules.current);
    const wish = this.#wish;
    const before = wish.to ? {} : { ...accepted, maxSize: 0 }; // it is redrawn
    const count = multiple ? maxFiles || Infinity : 1;
    /** @type {string[]} */
    const twice = [];
    /** @type {string[]} */
    const left = [];
    let replaced = multiple ? [] : this.#list.items; // by the first file that is not refused

    /** @param {File} file */
    const add = (file) => {
      const item = UploadItem.chosen(file);
      const same = this.#list.find(item.key);
      if (same && !same.replaceable) return twice.push(item.name);
      const refusal = refusalOf(file, redrawable(file, wish) ? before : accepted);
      if (!refusal) {
        for (const other of replaced) if (other !== same) this.#remove(other);
        replaced = [];
        if (this.#isFull(count, same)) return left.push(item.name);
      }
      if (same) this.#remove(same, { keep: true });
      this.#insert(item);
      if (refusal) this.#fail(item, refusal);
    };

    const notify = () => {
      const out = [...left, ...beyond];
      this.#drop.notify(
        folders && this.#words.text("folder"),
        empty && this.#words.text("folder_empty"),
        twice.length && this.#words.text("twice", { names: this.#words.names(twice) }),
        out.length && this.#words.text("too_many", { count: left.length ? count : MOST, names: this.#words.names(out) }),
      );
    };

    this.#connect();
    const cleared = this.#cleared;
    let at = 0;
    // A browser asks the disk for the size of each file, and the page waits for it.
    const some = () => {
      if (at) this.#adding--;
      if (cleared !== this.#cleared) return this.#refresh();
      this.#hold(() => files.slice(at, (at += AT_ONCE)).forEach(add));
      if (at < files.length) {
        this.#adding++;
        setTimeout(some, at === AT_ONCE ? AHEAD : FRAME);
      }
      notify();
      this.#refresh();
      if (at >= files.length) this.#askRules(); // for the next ones
    };
    some();
  }

  // Whether there is no place for another file, but in the place of one.
  /** @param {number} count @param {UploadItem} [same] */
  #isFull(count, same) {
    if (this.#list.size < count) return false;
    const taken = this.#list.items.filter(({ counted }) => counted);
    return taken.length >= count && !(same && taken.includes(same));
  }

  /** @param {UploadItem} item @param {Error} error */
  #fail(item, error) {
    item.fail(error);
    this.#show(item);
    if (this.#rules.current && error instanceof UploadError && error.from === "server" && AGAINST_RULES.includes(error.code)) {
      this.#rules.outdate();
      this.#askRules();
    }
    const message = this.#words.failure(error, { size: item.size, online: navigator.onLine });
    if (item.file) this.#tell("postern-error", { file: item.file, error, message });
  }

  /** @param {UploadItem} item */
  #pause(item) {
    this.#transfers.pause(item);
    item.pause();
    this.#show(item);
  }

  /** @param {UploadItem} item */
  #wait(item) {
    item.wait();
    this.#show(item);
  }

  // Goes on with what is paused, for which the browser may have to bring the file back.
  /** @param {UploadItem} item */
  async #goOn(item) {
    const { file, kept } = item;
    if (this.#keeper && kept && file && "loaded" in file) {
      const found = await this.#keeper.open(kept, file);
      if (item.state !== "paused") return;
      if (!found) {
        item.needFile();
        this.#show(item);
        return;
      }
      item.replace(found);
    }
    this.#wait(item);
  }

  /** @param {UploadItem} item */
  #cancel(item) {
    this.#transfers.giveUp(item);
    item.cancel();
    this.#show(item);
  }

  /** @param {UploadItem} item */
  #onMain(item) {
    const { mainAction } = item;
    if (mainAction === "choose") this.open();
    else if (mainAction === "pause") this.#pause(item);
    else if (mainAction === "resume") this.#goOn(item);
    else if (mainAction) this.#wait(item);
  }

  /** @param {AllAction} action */
  #onAll(action) {
    this.#drop.notify();
    if (action === "pause_all") this.pause();
    else if (action === "resume_all") this.resume();
    else if (action === "retry_all") this.#forEach((item) => item.mainAction === "retry" && this.#wait(item));
    else this.#forEach((item) => item.busy && this.#end(item));
  }

  /** @param {(item: UploadItem) => void} work */
  #forEach(work) {
    this.#hold(() => this.#list.items.forEach(work));
    this.#refresh();
  }

  // A file that is cancelled stays to be tried again. What is known by name alone has
  // nothing to try again with.
  /** @param {UploadItem} item */
  #onEnd(item) {
    this.#drop.notify();
    this.#end(item);
  }

  /** @param {UploadItem} item */
  #end(item) {
    if (item.busy && item.hasBytes) this.#cancel(item);
    else this.#take(item);
  }

  /** @param {UploadItem} item */
  #take(item) {
    const focused = this.#list.hasFocus(item);
    const neighbour = this.#list.neighbourOf(item);
    this.#remove(item);
    if (focused) (neighbour ?? this.#drop.button).focus(); // for people who work by keyboard
    this.#refresh();
  }

  /** @param {UploadItem} item */
  #remove(item, { keep = false } = {}) {
    if (!this.#list.has(item)) return; // a page's listener has removed it
    if (keep) this.#transfers.drop(item);
    else this.#transfers.giveUp(item);
    item.remove();
    this.#list.remove(item);
  }

  /** @param {UploadItem} item */
  #insert(item) {
    this.#list.insert(item);
  }

  // Shows the state that an upload has come to.
  /** @param {UploadItem} item */
  #show(item) {
    this.#list.paint(item);
    if (!item.active) this.#list.announce(item);
    if (this.#list.size < MANY) this.#refresh();
    else if (!this.#held) this.#refreshSoon();
  }

  // The value of a form is made anew each time.
  #refreshSoon() {
    this.#startWaiting();
    if (this.#due) return;
    this.#due = true;
    setTimeout(() => {
      this.#due = false;
      this.#refresh();
    }, SOON);
  }

  // Brings the form up to date, and the queue. tell is whether the page hears of
  // another value.
  #refresh({ tell = true } = {}) {
    if (this.#held) return;
    const { items } = this.#list;
    const { value, name } = this;
    const keys = value.join("\n");
    const changed = keys !== this.#keys;
    if (changed || name !== this.#named) this.#setValue(value);
    this.#validate(items, value);
    this.#setState("filled", items.length > 0);
    this.#setState("uploading", items.some(({ active }) => active));
    this.#startWaiting();
    this.#keys = keys;
    this.#named = name;
    if (tell && changed) this.dispatchEvent(new Event("change", { bubbles: true }));
  }

  /** @param {string[]} value */
  #setValue(value) {
    const { name, receipts } = this;
    const data = new FormData();
    for (const key of value) data.append(name, key);
    this.#internals.setFormValue(name && value.length ? data : null, JSON.stringify(receipts));
  }

  /** @param {UploadItem[]} items @param {string[]} value */
  #validate(items, value) {
    const valueMissing = this.required && !value.length;
    const why = (this.#adding ? "still_uploading" : obstacleOf(items)) ?? (valueMissing ? "value_missing" : null);
    const customError = why !== null && why !== "value_missing";
    this.#internals.setValidity({ valueMissing, customError }, why ? this.#words.text(why) || why : "", this.#drop.button);
  }

  #startWaiting() {
    if (!this.isConnected) return;
    this.#hold(() => {
      for (const item of nextOf(this.#list.items, this.concurrency)) {
        item.start();
        this.#show(item);
        this.#transfers.start(item);
      }
    });
  }

  /** @param {() => void} loop */
  #hold(loop) {
    this.#held = true;
    try {
      loop();
    } finally {
      this.#held = false;
    }
  }

  #translate() {
    const language = languageOf(this);
    const words = (this.#words = new Words(language, this.#texts));
    if (this.isConnected) load(language).then((news) => news && this.#translate());
    this.#drop.describe(words, this, this.#accepted(this.#rules.told));
    this.#list.previews = this.previews;
    this.#list.translate(words);
    this.#refresh();
  }

  /** @param {"filled" | "uploading" | "over"} name @param {boolean} on */
  #setState(name, on) {
    if (on) this.#internals.states.add(name);
    else this.#internals.states.delete(name);
  }

  /**
   * @template {keyof API.PosternUploadEventMap} Name
   * @param {Name} name
   * @param {API.PosternUploadEventMap[Name]["detail"]} detail
   */
  #tell(name, detail) {
    this.dispatchEvent(new CustomEvent(name, { detail, bubbles: true, composed: true }));
  }
}

/** What keeps the form from being sent, of the uploads themselves. @param {UploadItem[]} items */
function obstacleOf(items) {
  if (items.some(({ busy }) => busy)) return "still_uploading";
  return items.some(({ state }) => state === "failed") ? "not_uploaded" : null;
}
