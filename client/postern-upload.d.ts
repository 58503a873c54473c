// The types of postern-upload.js, and what it offers.

import type { Options, Progress, Stored, Unfinished } from "./postern.js";

/**
 * `<postern-upload endpoint="/uploads" accept="image/*" multiple>`: people drop
 * files on it or choose them, see them being uploaded, and pause, resume, cancel
 * and retry them. Importing the module defines the element.
 *
 * It is a control of the form around it. Its values are the keys of the receipts,
 * under its name, each a value of its own; the server checks whose they are. It is
 * invalid while an upload is on its way or has failed, and, if it is required,
 * without any. A reset empties it; going back to the page brings its
 * receipts back. A click on its label opens the dialog. A failed or cancelled upload
 * that is chosen again is retried; without `multiple`, a file that is not refused
 * takes the place of the others.
 *
 * **Taken out of the document** it pauses, and goes on when it is put back. An
 * element that is only moved goes on meanwhile. An upload in parts goes on even if
 * its file is chosen again after a reload; `unfinished` lists those.
 *
 * **Attributes**: `endpoint`, `accept`, `multiple`, `max-size`, `max-files`,
 * `name`, `required`, `disabled`, `checksum`, `scope`, `credentials`,
 * `concurrency`, `unfinished`, `keep-size`, `capture`, `folder`, `compact`, `previews`,
 * `resize`, `convert`, `leave-warning`, and `lang`, which selects the texts, its own or an ancestor's.
 * Each has a property, below. They may change at any time, for what begins or goes
 * on after it: call clear() when somebody else signs in.
 *
 * **The server's rules** stand in for `accept` and `max-size` where the page has not
 * said them: what `…/rules` tells this user is asked once the element is seen, and again
 * when `headers` are set, when the person comes back to the page, and when the server
 * refuses what they allowed. Files that they do not allow are refused at once. A server
 * that does not answer there is none the worse: it judges each file.
 *
 * **Events**: `postern-progress`, `postern-complete` and `postern-error` bubble,
 * and leave shadow trees. `change` comes when the person's uploads change the
 * value.
 *
 * **Slots**: `prompt` and `hint`, the words in the drop zone.
 *
 * **Files** are dropped, chosen, or pasted while the focus is in the element. With
 * `multiple`, folders may be dropped: their files go up with the folders' names as
 * `path`, for {path} in keys. Names are shown as the server cleans them. Sizes are in
 * decimal units: a megabyte is 10^6 bytes, here and in the server's words.
 *
 * **Of many files**, more than three, a summary says how many are done, how fast, and
 * how much longer, and has buttons for all. Of more than eight the list shows those
 * that go up or have failed first, and folds the others away. Screen readers are told
 * the summary, not a line for each.
 *
 * **Parts**, for `::part()`: `drop` (the drop zone, a button) with `icon`, `prompt`
 * and `hint`; `notice`; `summary` with `count`, `rate`, `actions` and `bar`; `folds`
 * with the buttons `more` and `fewer`; `list` with a `file` for each, which has the part
 * `waiting`, `uploading`, `paused`, `unfinished`, `done`, `failed` or `cancelled`, too; in it
 * `preview`, `name`, `detail` with `message`, `actions` with a `button` for each
 * (and `pause`, `resume`, `retry`, `choose`, `cancel`, `remove`), and `bar` with its `fill`.
 *
 * **States**, for `:state()`: `filled` with files in the list, `uploading` with
 * some on their way, `over` while files are dragged over it.
 *
 * **Custom properties**: `--postern-accent`, `--postern-good`, `--postern-bad`,
 * `--postern-muted` (lesser text), `--postern-surface`, `--postern-line`,
 * `--postern-track` (bars, previews) and `--postern-radius`. Font and text colour
 * are inherited; the other colours follow `color-scheme` and the text's.
 *
 * **Content Security Policy**: it needs `img-src blob:` for previews, without which
 * they are icons, and `connect-src` for the endpoint and the bucket; with the attribute
 * `previews`, `media-src blob:` and `frame-src blob:`. It has no inline styles.
 */
export class PosternUpload extends HTMLElement {
  static readonly formAssociated: true;

  /** Where the handler is mounted: "/uploads" without the attribute. */
  endpoint: string;
  /**
   * What is accepted, as in a file input: ".pdf, image/*". The server decides. Without the
   * attribute, what its rules say; with "", anything.
   */
  accept: string;
  /** Whether more than one file can be chosen. */
  multiple: boolean;
  /**
   * Larger files, in bytes, are refused before the server is asked. Without the attribute,
   * as large as the server's rules say; 0 is no limit.
   */
  maxSize: number;
  /** With `multiple`, how many files; 0 is no limit. */
  maxFiles: number;
  /** What the form calls the keys. Without a name they are not sent. */
  name: string;
  /** Whether the form needs at least one key. */
  required: boolean;
  /** Takes no files, and no part in the form. What is on its way goes on. */
  disabled: boolean;
  /** As in postern.js, where false is as if it were not given. */
  checksum: boolean;
  /** As in postern.js: whose uploads, where several people use one browser. */
  scope: string;
  /** As in postern.js: "include" sends cookies to another origin. */
  credentials: RequestCredentials | "";
  /**
   * How many files are uploaded at once. 0, as without it, is three, and up to a hundred
   * that have no more than 16 MB together, which share requests and connections.
   */
  concurrency: number;
  /**
   * Lists the uploads of this endpoint and scope that were cut off when the page
   * was left: people choose the file again, or give it up. What had been sent
   * completely is completed at once, so set `headers` first. For one element of a
   * page only: it lists those of the others, too. What another tab is sending is not
   * among them.
   *
   * Where the browser can open a file again that was dropped or chosen, as Chromium does,
   * people press a button in place of choosing it, and the browser may ask them; files are
   * then chosen in its own dialog. What opens them is in IndexedDB until the upload ends.
   */
  unfinished: boolean;
  /**
   * With `unfinished`, the size in bytes up to which a copy of a file is kept, where the
   * browser cannot open it again: it goes on without being chosen. 0, as without it, keeps
   * no copies. All copies together have four times as much at most. They are in IndexedDB,
   * which others who use the same browser profile can read, until the upload ends; if it
   * does not, until such an element is on a page after the ticket has expired.
   */
  keepSize: number;

  /** As in a file input: "environment" or "user" opens a phone's camera. */
  capture: string;
  /** The dialog chooses a folder, with all that is in it. */
  folder: boolean;
  /** Is a button, not a wide drop zone. Files may be dropped on it all the same. */
  compact: boolean;
  /**
   * Larger previews, which show videos and PDF documents, too: the browser opens them
   * on the page. Without it, there are small ones of images.
   */
  previews: boolean;
  /**
   * Makes images smaller before they go up: how many pixels the longer side has at most;
   * 0 is as they are. JPEG, PNG and WebP keep their type, name and time, and are turned
   * upright; where and when a picture was taken is lost. Images that move, and what the
   * browser cannot draw, go up as they are. `maxSize` is for what comes of it.
   */
  resize: number;
  /**
   * The type that images are to be of when they go up, whose quality is 0.9 where it loses
   * some; "" is their own. Those that browsers draw are converted, upright, with the name's
   * end changed, and without where and when a picture was taken; transparent parts are
   * white in a JPEG. Images that move, and what this browser cannot draw or write, go up as
   * they are. `accept` and `maxSize` are for what comes of it.
   */
  convert: "" | "image/jpeg" | "image/png" | "image/webp";
  /**
   * Has the browser ask before the page is left while files are going up, are being read
   * from folders, or are paused and would have to be chosen again.
   */
  leaveWarning: boolean;

  /** As in postern.js: what authenticates requests to the endpoint. */
  headers: Options["headers"];
  /** As in postern.js, or a function that is called with each file. */
  metadata: Options["metadata"] | ((file: File) => Options["metadata"] | Promise<Options["metadata"]>);
  /** Texts of this element alone. */
  get texts(): Texts;
  set texts(texts: Texts | null);

  /** The keys of the uploads that are complete, in the list's order. */
  get value(): string[];
  /** Their receipts. */
  get receipts(): Stored[];

  /** Shows the browser's dialog, where a click or a key has led to the call. */
  open(): void;
  /** Takes files, as if they were dropped here: from a paste, or a drop elsewhere. */
  add(files: DataTransfer | Iterable<File>): void;
  /** Takes the upload that has this key from the list and the value. It stays stored. */
  dismiss(key: string): void;
  /** Gives up what is on its way, and empties the list. */
  clear(): void;
  /** Pauses all. Uploads that are not in parts will begin again. */
  pause(): void;
  /** Goes on with what is paused. */
  resume(): void;

  /** As in other form controls. */
  get form(): HTMLFormElement | null;
  get labels(): NodeList;
  get type(): string;
  get validity(): ValidityState;
  get validationMessage(): string;
  get willValidate(): boolean;
  checkValidity(): boolean;
  reportValidity(): boolean;
}

export interface PosternUploadEventMap {
  /**
   * Progress, which begins again when an upload does. file is an Unfinished where
   * the attribute unfinished brought back an upload that needs no file.
   */
  "postern-progress": CustomEvent<Progress & { file: File | Unfinished }>;
  /** An upload is complete, and its key in the value. */
  "postern-complete": CustomEvent<Stored>;
  /**
   * An upload has failed, or was refused here. error is an UploadError, unless
   * code of the page threw; message is what people are told.
   */
  "postern-error": CustomEvent<{ file: File | Unfinished; error: Error; message: string }>;
}

/**
 * The texts by language: "en" is there, and stands in for what others lack. Arabic,
 * simplified Chinese, Dutch, French, German, Hebrew, Italian, Japanese, Korean, Polish,
 * Portuguese, Spanish and Turkish are loaded where the page has their lang, from
 * locales/de.js and so on beside the module. What a page sets goes before them.
 *
 *     import { texts } from "/client/postern-upload.js";
 *     texts.de = { drop_many: "Fotos ablegen oder auswählen" };
 *     texts.sv = { drop_many: "Släpp filer här eller välj dem", … };
 *
 * The names are those in texts.en. The code of a problem document or of S3 is one,
 * too: of a code that has none, the server's own detail is shown. {name} and the
 * like are filled in; a text whose values are not known is not used. Numbers are
 * written as the language does. A text with a dot, "more.one", is the form for a plural
 * category of the language; without the dot it is for all. Media types and patterns have names: "image/*".
 * Add texts before the elements, or set their lang again.
 */
export const texts: { en: Texts; [language: string]: Texts };

export type Texts = Record<string, string>;

declare global {
  interface HTMLElementTagNameMap {
    "postern-upload": PosternUpload;
  }
}

export interface PosternUpload {
  addEventListener<K extends keyof PosternUploadEventMap>(
    type: K, listener: (this: PosternUpload, event: PosternUploadEventMap[K]) => unknown,
    options?: boolean | AddEventListenerOptions,
  ): void;
  addEventListener<K extends keyof HTMLElementEventMap>(
    type: K, listener: (this: PosternUpload, event: HTMLElementEventMap[K]) => unknown,
    options?: boolean | AddEventListenerOptions,
  ): void;
  addEventListener(type: string, listener: EventListenerOrEventListenerObject, options?: boolean | AddEventListenerOptions): void;
  removeEventListener<K extends keyof PosternUploadEventMap>(
    type: K, listener: (this: PosternUpload, event: PosternUploadEventMap[K]) => unknown,
    options?: boolean | EventListenerOptions,
  ): void;
  removeEventListener<K extends keyof HTMLElementEventMap>(
    type: K, listener: (this: PosternUpload, event: HTMLElementEventMap[K]) => unknown,
    options?: boolean | EventListenerOptions,
  ): void;
  removeEventListener(type: string, listener: EventListenerOrEventListenerObject, options?: boolean | EventListenerOptions): void;
}
