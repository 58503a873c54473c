// <postern-upload>, a form control; postern-upload.d.ts says what it offers.

import { PAUSE, UploadError, discard, unfinished, upload } from "./postern.js";

export const texts = {
  en: {
    drop_one: "Drop a file here, or choose one",
    drop_many: "Drop files here, or choose them",
    hint_required: "Required",
    hint_types: "Only {types}",
    hint_size: "Up to {max} each",
    hint_count: "At most {count} files",
    list: "Files",
    progress: "Upload of {name}",
    waiting: "Waiting",
    uploading: "Uploading, {percent} %",
    finishing: "Finishing",
    disconnected: "Offline, goes on when you are connected",
    paused: "Paused at {percent} %",
    unfinished: "Choose the file again to continue",
    done: "Uploaded",
    cancelled: "Cancelled",
    pause: "Pause {name}",
    resume: "Resume {name}",
    retry: "Try {name} again",
    choose: "Choose {name} again",
    cancel: "Cancel {name}",
    remove: "Remove {name}",
    value_missing: "Choose a file.",
    still_uploading: "Not all files are uploaded yet.",
    not_uploaded: "Some files could not be uploaded. Try again, or remove them.",
    too_many: "Too many files: the limit is {count}. Left out: {names}.",
    twice: "Already in the list: {names}.",
    folder: "Folders can’t be uploaded. Drop the files inside instead.",
    size_too_large: "Too large: this file has {size}, and the limit is {max}.",
    size_just_over: "Too large: just above the limit of {max}.",
    size_too_small: "Too small: a file must have at least {min}.",
    size_zero: "This file is empty.",
    type_not_allowed: "Files of this kind are not accepted here, only {types}.",
    unauthenticated: "You aren’t signed in any more. Sign in, and try again.",
    offline: "You are offline. Try again later.",
    server_unreachable: "The server can’t be reached. Check your connection and try again.",
    storage_unreachable: "The storage can’t be reached, or doesn’t accept uploads from this page.",
    storage_refused: "The storage refused the file ({code}). Try again.",
    grant_expired: "The permission for this upload has expired. Try again.",
    SlowDown: "The storage is busy. Try again in a moment.",
    ServiceUnavailable: "The storage is busy. Try again in a moment.",
    InternalError: "The storage is busy. Try again in a moment.",
    RequestTimeout: "The storage is busy. Try again in a moment.",
    EntityTooLarge: "The file is larger than announced. Has it changed since?",
    EntityTooSmall: "The file is smaller than announced. Has it changed since?",
    file_unreadable: "The file is gone, or has changed. Choose it again.",
    unexpected: "Something went wrong. Try again in a moment.",
    "image/*": "images",
    "video/*": "videos",
    "audio/*": "audio files",
    "text/*": "text files",
    "text/plain": "plain text",
    "application/pdf": "PDF",
    "application/zip": "zip files",
  },
};

const ICONS = {
  upload: "M12 15V4M7 9l5-5 5 5M4 15v3a2 2 0 0 0 2 2h12a2 2 0 0 0 2-2v-3",
  pause: "M9 6v12M15 6v12",
  resume: "M8 5v14l11-7z",
  retry: "M20 4v5h-5M20 9a8.5 8.5 0 1 0 .5 4",
  cancel: "M6 6l12 12M18 6 6 18",
};
ICONS.remove = ICONS.cancel;
ICONS.choose = ICONS.upload;

const OUTSIDE = ["online", "offline", "storage"];

const sheet = new CSSStyleSheet();
sheet.replaceSync(`
:host {
  --_accent: var(--postern-accent, light-dark(#3b57c8, #93a8ff));
  --_muted: var(--postern-muted, color-mix(in srgb, currentcolor 70%, transparent));
  --_surface: var(--postern-surface, color-mix(in srgb, currentcolor 3%, transparent));
  --_line: var(--postern-line, color-mix(in srgb, currentcolor 50%, transparent));
  --_track: var(--postern-track, color-mix(in srgb, currentcolor 11%, transparent));
  --_good: var(--postern-good, light-dark(#17794a, #5fce97));
  --_bad: var(--postern-bad, light-dark(#b8291b, #ff9a8c));
  --_radius: var(--postern-radius, 0.75rem);
  display: block;
  line-height: 1.5;
}
:host([hidden]), [hidden] { display: none !important }
* { box-sizing: border-box }
button { border: 0; background: none; color: inherit; font: inherit; cursor: pointer }
button:disabled { opacity: 0.55; cursor: default }
button:focus-visible { outline: 2px solid var(--_accent); outline-offset: 2px }
svg { width: 1.25rem; fill: none; stroke: currentcolor; stroke-width: 1.75; stroke-linecap: round; stroke-linejoin: round }
[part=drop] { display: flex; align-items: center; justify-content: center; gap: 1rem; width: 100%; padding: 2rem 1.25rem; border: 1.5px dashed var(--_line); border-radius: var(--_radius); background: var(--_surface) }
:host(:state(filled)) [part=drop] { padding-block: 1rem }
[part=drop]:enabled:hover, :host(:state(over)) [part=drop] { border-color: var(--_accent) }
:host(:state(over)) [part=drop] { border-style: solid; background: color-mix(in srgb, var(--_accent) 10%, var(--_surface)) }
[part=icon] { display: grid; padding: 0.625rem; border-radius: 50%; background: color-mix(in srgb, var(--_accent) 13%, transparent); color: var(--_accent) }
.words { display: grid; min-width: 0; text-align: start }
[part=prompt], [part=name] { font-weight: 600 }
[part=hint], [part=detail] { color: var(--_muted); font-size: 0.875em }
[part=notice] { margin: 0; padding-top: 0.5rem; color: var(--_bad); font-size: 0.9375em }
[part=list] { display: grid; gap: 0.5rem; margin: 0; padding: 0.5rem 0 0; list-style: none }
[part~=file] { display: grid; grid-template-columns: auto minmax(0, 1fr) auto; align-items: center; gap: 0 0.75rem; padding: 0.625rem 0.75rem; border: 1px solid color-mix(in srgb, var(--_line) 35%, transparent); border-radius: var(--_radius); background: var(--_surface) }
[part~=failed] { border-color: color-mix(in srgb, var(--_bad) 45%, transparent) }
[part=preview] { position: relative; display: grid; place-items: center; width: 2.75rem; height: 2.75rem; overflow: hidden; border-radius: calc(var(--_radius) * 0.66); background: var(--_track); color: var(--_muted); font-size: 0.6875rem; font-weight: 700 }
img { position: absolute; width: 100%; height: 100%; object-fit: cover }
[part=name] { overflow: hidden; text-overflow: ellipsis; white-space: nowrap }
[part=detail] { font-variant-numeric: tabular-nums }
[part=message]::before { content: " · "; color: var(--_muted) }
[part~=done] [part=message] { color: var(--_good) }
[part~=failed] [part=message] { display: block; color: var(--_bad) }
[part~=failed] [part=message]::before { content: none }
[part=actions] { display: flex }
[part~=button] { display: grid; place-content: center; width: 2.25rem; height: 2.25rem; padding: 0; border-radius: calc(var(--_radius) * 0.66); color: var(--_muted) }
[part~=button]:enabled:hover { background: var(--_track) }
[part=bar] { grid-column: 2 / -1; height: 0.3125rem; margin-top: 0.375rem; overflow: hidden; border-radius: 1rem; background: var(--_track) }
[part=fill] { width: 0; height: 100%; border-radius: inherit; background: var(--_accent) }
:is([part~=paused], [part~=unfinished]) [part=fill] { background: var(--_line) }
:is([part~=done], [part~=failed], [part~=cancelled]) [part=bar] { display: none }
[role=status] { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%) }
@media (prefers-reduced-motion: no-preference) { [part=fill] { transition: width 0.15s linear } }
@media (forced-colors: active) {
  [part=bar] { border: 1px solid }
  [part=fill] { background: Highlight !important }
}`);

export class PosternUpload extends HTMLElement {
  static formAssociated = true;
  static observedAttributes = [
    "accept", "multiple", "required", "name", "max-size", "max-files", "lang", "unfinished", "endpoint", "scope",
  ];

  #internals = this.attachInternals();
  #items = [];
  #disabled = false;
  #words = {}; // the element's own
  #table = texts.en;
  #locale = "en";
  #keys = ""; // of which the page has been told
  #held = false; // the refreshing, which the end of a loop does once
  #turns = new Map();

  #input = make("input", { type: "file", hidden: true });
  #prompt = make("slot", { name: "prompt" });
  #hint = make("slot", { name: "hint" });
  #drop = make("button", { type: "button", part: "drop" },
    make("span", { part: "icon" }, icon(ICONS.upload)),
    make("span", { className: "words" },
      make("span", { part: "prompt", id: "prompt" }, this.#prompt),
      make("span", { part: "hint", id: "hint" }, this.#hint)));
  #notice = make("p", { part: "notice", role: "alert", hidden: true });
  #list = make("ul", { part: "list", role: "list", hidden: true });
  #status = make("div", { role: "status", ariaAtomic: "false" }); // else all of it is read each time

  constructor() {
    super();
    const root = this.attachShadow({ mode: "open", delegatesFocus: true });
    root.adoptedStyleSheets = [sheet];
    root.append(this.#drop, this.#input, this.#notice, this.#list, this.#status);
    this.#internals.role = "group";
    this.#drop.setAttribute("aria-labelledby", "prompt");
    this.#drop.setAttribute("aria-describedby", "hint");

    this.#drop.onclick = () => this.open();
    this.addEventListener("click", (event) => {
      if (event.composedPath()[0] === this) this.open(); // on its label
    });
    this.#input.onchange = () => {
      this.#add([...this.#input.files]);
      this.#input.value = ""; // so that the same file can be chosen again
    };
    for (const type of ["dragover", "dragleave", "drop"]) this.addEventListener(type, this.#onDrag);

    // Properties that were set before the element was defined.
    for (const name of [...Object.keys(REFLECTED), "texts"]) {
      if (!Object.hasOwn(this, name)) continue;
      const value = this[name];
      delete this[name];
      this[name] = value;
    }
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
  get receipts() { return this.#items.flatMap(({ receipt }) => receipt ?? []); }

  get texts() { return this.#words; }
  set texts(words) {
    this.#words = words ?? {};
    this.#translate();
  }

  open() {
    if (!this.#disabled) this.#input.click();
  }

  add(source) {
    if (this.#disabled) return;
    if (!(source instanceof DataTransfer)) return this.#add([...source]);
    const items = [...source.items].filter(({ kind }) => kind === "file");
    const files = items.filter((item) => !item.webkitGetAsEntry()?.isDirectory);
    this.#add(files.map((item) => item.getAsFile()).filter(Boolean), files.length < items.length);
  }

  dismiss(key) {
    for (const item of this.#items) if (item.receipt?.key === key) this.#take(item);
  }

  clear() {
    for (const item of this.#items) this.#remove(item);
    this.#note();
    this.#refresh(false);
  }

  pause() {
    this.#hold(() => {
      for (const item of this.#items) if (/waiting|uploading/.test(item.state)) this.#pause(item);
    });
    this.#refresh();
  }

  resume() {
    for (const item of this.#items) if (item.state === "paused") this.#show(item, "waiting");
  }

  connectedCallback() {
    for (const type of OUTSIDE) addEventListener(type, this.#onOutside);
    this.#translate();
    this.#restore();
  }

  // An element that is only moved goes on.
  disconnectedCallback() {
    for (const type of OUTSIDE) removeEventListener(type, this.#onOutside);
    queueMicrotask(() => {
      for (const item of this.#items) {
        if (this.isConnected || item.state !== "uploading") continue;
        item.stop.abort(PAUSE);
        this.#show(item, "waiting");
      }
    });
  }

  attributeChangedCallback(name) {
    this.#translate();
    if (/unfinished|endpoint|scope/.test(name)) this.#restore();
  }

  formDisabledCallback(disabled) {
    this.#disabled = disabled;
    for (const button of this.shadowRoot.querySelectorAll("button")) button.disabled = disabled;
  }

  formResetCallback() {
    this.clear();
  }

  formStateRestoreCallback(state, mode) {
    if (mode !== "restore") return;
    for (const receipt of JSON.parse(state) ?? []) {
      const { filename: name, size, type } = receipt;
      this.#paint(this.#insert({ name, size, type, receipt, state: "done" }));
    }
    this.#refresh(false);
  }

  #onDrag(event) {
    const { dataTransfer, type } = event;
    if (!dataTransfer.types.includes("Files")) return;
    event.preventDefault(); // else the browser opens the file
    dataTransfer.dropEffect = this.#disabled ? "none" : "copy";
    this.#state("over", type === "dragover" && !this.#disabled);
    if (type === "drop") this.add(dataTransfer);
  }

  // The line is back or gone, or another tab has ended what stands here.
  #onOutside = () => {
    this.#restore(false);
    for (const item of this.#items) this.#paint(item);
  };

  // Lists what was cut off when the page was left. Without the file it can go on
  // only if all was sent.
  #restore(fresh = true) {
    const found = new Map();
    if (this.unfinished && this.isConnected) {
      for (const file of unfinished(this.#options())) found.set(idOf(file), file);
    }
    for (const item of this.#items) {
      const { id, file, state } = item;
      if (busy(item) && state !== "uploading" && !(file instanceof Blob || found.has(id))) this.#remove(item, true);
      found.delete(id);
    }
    if (fresh) for (const file of found.values()) {
      this.#paint(this.#insert(begin(file, file.loaded === file.size ? "waiting" : "unfinished")));
    }
    this.#refresh();
  }

  #options() {
    const { endpoint, scope, headers, credentials, checksum } = this;
    return { endpoint: endpoint.replace(/\/$/, ""), scope, headers, credentials: credentials || undefined, checksum };
  }

  #add(files, folders) {
    const { multiple, maxFiles } = this;
    const count = multiple ? maxFiles || Infinity : 1;
    const twice = [], left = [];
    const earlier = multiple ? [] : [...this.#items]; // a single file is replaced
    this.#hold(() => {
      for (const file of files) {
        const { name } = file;
        const item = begin(file, "waiting");
        const same = this.#items.find(({ id }) => id === item.id);
        if (same && !/failed|cancelled|unfinished/.test(same.state)) {
          twice.push(name);
          continue;
        }
        const refusal = this.#refusal(item);
        if (!refusal) for (const other of earlier.splice(0)) if (other !== same) this.#remove(other);
        const taken = this.#items.filter(({ final, state }) => !final && state !== "cancelled");
        if (!refusal && !taken.includes(same) && taken.length >= count) {
          left.push(name);
          continue;
        }
        if (same) this.#remove(same, true);
        this.#insert(item);
        if (refusal) this.#fail(item, refusal);
        else this.#paint(item);
      }
    });
    this.#note(
      folders && this.#text("folder"),
      twice.length && this.#text("twice", { names: this.#join(twice) }),
      left.length && this.#text("too_many", { count, names: this.#join(left) }),
    );
    this.#refresh();
  }

  // What the server would say, as far as the page knows.
  #refusal({ name, type, size }) {
    const { maxSize, accept } = this;
    if (maxSize && size > maxSize) return new UploadError("size_too_large", { max_size: maxSize });
    const allowed_types = split(accept);
    const fits = (pattern) =>
      pattern[0] === "." ? name.toLowerCase().endsWith(pattern) :
      pattern.endsWith("/*") ? pattern === "*/*" || type.startsWith(pattern.slice(0, -1)) : type === pattern;
    if (allowed_types[0] && !allowed_types.some(fits)) return new UploadError("type_not_allowed", { allowed_types });
  }

  #run(item) {
    const stop = item.stop = new AbortController();
    const { signal } = stop;
    const { file } = item;
    this.#show(item, "uploading");
    this.#inTurn(item, async () => {
      if (signal.aborted || item.receipt) return;
      try {
        const { metadata } = this;
        item.options = {
          ...this.#options(), signal,
          metadata: typeof metadata === "function" ? file instanceof Blob && await metadata(file) || undefined : metadata,
          onProgress: (progress) => {
            if (signal.aborted) return;
            Object.assign(item, progress);
            this.#paint(item);
            this.#tell("progress", { file, ...progress });
          },
        };
        const receipt = await upload(file, item.options);
        if (!busy(item)) return;
        item.receipt = receipt;
        this.#show(item, "done");
        this.#tell("complete", receipt);
      } catch (thrown) { // by code of the page, too
        const error = thrown ?? new UploadError("unexpected");
        if (error.code === "paused") {
          // What was on its way is sent again.
          item.loaded = unfinished(item.options).find((kept) => idOf(kept) === item.id)?.loaded ?? 0;
          this.#paint(item);
        }
        if (signal.aborted) return;
        if (error.code === "file_needed") this.#show(item, "unfinished");
        else this.#fail(item, error);
      }
    });
  }

  // What was given up may be on its way out.
  #inTurn({ id }, work) {
    this.#turns.set(id, Promise.resolve(this.#turns.get(id)).then(work, work));
  }

  #fail(item, error) {
    const { file } = item;
    const { from, status } = error;
    item.error = error;
    item.loaded = 0;
    // The same file would get the same answer.
    item.final = from === "browser" || from === "server" && /400|413|415|422/.test(status);
    this.#show(item, "failed");
    this.#tell("error", { file, error, message: this.#explain(item) });
  }

  #pause(item) {
    item.stop?.abort(PAUSE);
    this.#show(item, "paused");
  }

  // Leaves nothing of it on the server, once that is asked.
  #cancel(item, keep) {
    const { stop, file, receipt } = item;
    stop?.abort();
    item.loaded = 0;
    if (file && !receipt && !keep) {
      const options = item.options ?? this.#options();
      this.#inTurn(item, () => discard(file, options));
    }
  }

  // Whoever works by keyboard goes on at the next.
  #take(item) {
    const at = this.#items.indexOf(item);
    const focused = item.row.contains(this.shadowRoot.activeElement);
    this.#remove(item);
    if (focused) (this.#items[at] ?? this.#items[at - 1] ?? { end: this.#drop }).end.focus();
    this.#refresh();
  }

  #remove(item, keep) {
    this.#cancel(item, keep);
    item.state = "";
    item.row.remove();
    URL.revokeObjectURL(item.url);
    this.#items = this.#items.filter((other) => other !== item);
  }

  #show(item, state) {
    item.state = state;
    if (state === "waiting") item.final = item.error = undefined;
    this.#paint(item);
    if (/done|failed|paused|cancelled|unfinished/.test(state)) {
      const line = make("span", {}, `${item.name}: ${item.message.textContent} `);
      this.#status.append(line);
      setTimeout(() => line.remove(), 10_000);
    }
    this.#refresh();
  }

  // Brings the form up to date, and the queue.
  #refresh(tell = true) {
    if (this.#held) return;
    const { value, receipts, name, required } = this;
    const states = this.#items.map(({ state }) => state);
    const waits = this.#items.some(busy);
    const data = new FormData();
    for (const key of value) data.append(name, key);
    this.#internals.setFormValue(name && value[0] ? data : null, JSON.stringify(receipts));

    const valueMissing = required && !value[0];
    const customError = waits || states.includes("failed");
    const why = waits ? "still_uploading" : customError ? "not_uploaded" : valueMissing ? "value_missing" : "";
    this.#internals.setValidity({ valueMissing, customError }, this.#text(why) || why, this.#drop);

    this.#list.hidden = !states[0];
    this.#state("filled", states[0]);
    this.#state("uploading", /waiting|uploading/.test(states.join()));
    let free = this.isConnected ? this.concurrency - states.filter((state) => state === "uploading").length : 0;
    this.#hold(() => {
      for (const item of this.#items) if (item.state === "waiting" && free-- > 0) this.#run(item);
    });
    const keys = value.join("\n");
    if (keys !== this.#keys) {
      this.#keys = keys;
      if (tell) this.dispatchEvent(new Event("change", { bubbles: true }));
    }
  }

  #hold(loop) {
    this.#held = true;
    try {
      loop();
    } finally {
      this.#held = false;
    }
  }

  #insert(item) {
    const { file, name, type } = item;
    const button = (act) => make("button", { type: "button", disabled: this.#disabled, onclick: act }, icon());
    const extension = name.match(/\.(\w{1,4})$/)?.[1].toUpperCase();
    const preview = make("div", { part: "preview", ariaHidden: "true" }, extension ?? "···");
    item.message = make("span", { part: "message" });
    item.weight = make("span", {});
    item.main = button(() => {
      if (item.state === "unfinished") this.open();
      else if (item.state === "uploading") this.#pause(item);
      else this.#show(item, "waiting");
    });
    item.end = button(() => {
      this.#note();
      if (!busy(item) || !(file instanceof Blob)) return this.#take(item);
      this.#cancel(item);
      this.#show(item, "cancelled");
    });
    item.fill = make("div", { part: "fill" });
    item.bar = make("div", { part: "bar", role: "progressbar" }, item.fill);
    item.row = make("li", {}, preview,
      make("div", { className: "words" },
        make("span", { part: "name", title: name, dir: "auto" }, name),
        make("span", { part: "detail" }, item.weight, item.message)),
      make("div", { part: "actions" }, item.main, item.end),
      item.bar);
    this.#items.push(item);
    this.#list.append(item.row);
    if (file instanceof Blob && type.startsWith("image/")) {
      item.url = URL.createObjectURL(file);
      const image = make("img", { alt: "", loading: "lazy", src: item.url });
      image.onload = image.onerror = ({ type }) => {
        URL.revokeObjectURL(item.url);
        if (type === "load") preview.replaceChildren(image);
        else image.remove();
      };
      preview.append(image);
    }
    return item;
  }

  #paint(item) {
    const { name, state, size, loaded = 0, receipt, resumable, final, main, end, bar } = item;
    const part = receipt ? 1 : size && loaded / size;
    const percent = String(Math.floor(part * 100));
    const text = (key) => this.#text(key, { name, percent });
    item.row.part = `file ${state}`;
    item.weight.textContent = this.#size(size);
    item.message.textContent =
      item.error ? this.#explain(item) :
      text(state !== "uploading" ? state : !navigator.onLine ? "disconnected" : part < 1 ? state : "finishing");
    bar.ariaLabel = text("progress");
    bar.ariaValueNow = percent;
    item.fill.style.width = `${part * 100}%`;
    const set = (button, action) => {
      button.hidden = !action;
      if (!action) return;
      button.part = `button ${action}`;
      button.title = text(action);
      button.querySelector("path").setAttribute("d", ICONS[action]);
    };
    const focused = this.shadowRoot.activeElement === main;
    set(main, state === "uploading" ? resumable && "pause" : state === "paused" ? "resume" :
      state === "unfinished" ? "choose" : state === "cancelled" || state === "failed" && !final ? "retry" : "");
    set(end, busy(item) ? "cancel" : "remove");
    if (focused && main.hidden) end.focus();
  }

  // Why it failed, in words: the texts' own, or else the server's.
  #explain({ error, size }) {
    const { code, from, detail = "", limits = {} } = error;
    const { min_size, max_size, allowed_types } = limits;
    const values = {
      code,
      size: this.#size(size),
      min: min_size && this.#size(min_size),
      max: max_size && this.#size(max_size),
      types: allowed_types?.length && this.#types(allowed_types),
    };
    const key =
      code === "network" ? !navigator.onLine ? "offline" : from === "bucket" ? "storage_unreachable" : "server_unreachable" :
      code === "size_too_large" && values.size === values.max ? "size_just_over" :
      code === "size_too_small" && !size ? "size_zero" :
      from === "bucket" && /expired/i.test(detail) ? "grant_expired" : code;
    return this.#text(key, values) || from === "server" && detail ||
      this.#text(from === "bucket" ? "storage_refused" : "unexpected", values);
  }

  #translate() {
    let root = this; // outwards through shadow trees
    while (root && !root.closest("[lang]")) root = root.getRootNode().host;
    const lang = root?.closest("[lang]").lang || "en";
    const given = { ...texts[lang.split("-")[0]], ...texts[lang], ...this.#words };
    this.#table = { __proto__: null, ...texts.en, ...given };
    try {
      this.#locale = Object.keys(given)[0] ? Intl.getCanonicalLocales(lang)[0] : "en";
    } catch {
      this.#locale = "en";
    }
    const { accept, multiple, required, maxSize, maxFiles } = this;
    Object.assign(this.#input, { accept, multiple });
    this.#prompt.textContent = this.#text(multiple ? "drop_many" : "drop_one");
    this.#hint.textContent = [
      required && this.#text("hint_required"),
      accept && this.#text("hint_types", { types: this.#types(split(accept)) }),
      maxSize && this.#text("hint_size", { max: this.#size(maxSize) }),
      multiple && maxFiles && this.#text("hint_count", { count: maxFiles }),
    ].filter(Boolean).join(" · ");
    this.#list.ariaLabel = this.#text("list");
    for (const item of this.#items) this.#paint(item);
    this.#refresh();
  }

  // A text that lacks a value is none.
  #text(key, values = {}) {
    let whole = true;
    const text = this.#table[key]?.replace(/\{(\w+)\}/g, (_, name) => values[name] || (whole = false));
    return whole && text || "";
  }

  #size(bytes) {
    let unit = 0;
    for (; bytes >= 1023.5 && unit < 4; unit++) bytes /= 1024;
    return new Intl.NumberFormat(this.#locale, {
      style: "unit", unit: ["", "kilo", "mega", "giga", "tera"][unit] + "byte", unitDisplay: unit ? "short" : "long",
      maximumFractionDigits: bytes < 99.95 ? 1 : 0,
    }).format(bytes);
  }

  #join(list) {
    return new Intl.ListFormat(this.#locale).format(list);
  }

  // What the texts call them.
  #types(list) {
    return this.#join(list.map((name) => this.#table[name] ?? name));
  }

  #note(...notes) {
    this.#notice.textContent = notes.filter(Boolean).join(" ");
    this.#notice.hidden = !this.#notice.textContent;
  }

  #state(name, on) {
    this.#internals.states[on ? "add" : "delete"](name);
  }

  #tell(name, detail) {
    this.dispatchEvent(new CustomEvent(`postern-${name}`, { detail, bubbles: true, composed: true }));
  }
}

// The properties that are attributes, and what they are without them.
const REFLECTED = {
  endpoint: "/uploads", accept: "", name: "", scope: "", credentials: "",
  multiple: false, required: false, disabled: false, checksum: false, unfinished: false,
  maxSize: 0, maxFiles: 0, concurrency: 3,
};

for (const [name, without] of Object.entries(REFLECTED)) {
  const attribute = name.replace(/[A-Z]/, "-$&"); // has no case
  Object.defineProperty(PosternUpload.prototype, name, {
    configurable: true,
    enumerable: true,
    get() {
      if (without === false) return this.hasAttribute(attribute);
      const value = this.getAttribute(attribute) ?? without;
      return without.trim ? value : Math.max(0, value) || without;
    },
    set(value) {
      if (without === false) this.toggleAttribute(attribute, !!value);
      else this.setAttribute(attribute, value);
    },
  });
}

function make(tag, properties, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
}

function icon(path = "") {
  const [svg, d] = ["svg", "path"].map((tag) => document.createElementNS("http://www.w3.org/2000/svg", tag));
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.ariaHidden = true;
  d.setAttribute("d", path);
  svg.append(d);
  return svg;
}

const split = (accept) => accept.toLowerCase().split(",").map((pattern) => pattern.trim()).filter(Boolean);

const busy = ({ state }) => /waiting|uploading|paused|unfinished/.test(state);

const idOf = ({ name, size, lastModified, type }) => JSON.stringify([name, size, lastModified, type]);

// An item of the list, for a File or what is remembered of one.
const begin = (file, state) => {
  const { name, size, type, loaded } = file;
  return { id: idOf(file), file, name, size, type, loaded, state };
};

if (!customElements.get("postern-upload")) customElements.define("postern-upload", PosternUpload);
