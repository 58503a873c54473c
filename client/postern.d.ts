// The types of postern.js, which runs in browsers since the spring of 2024: it needs
// AbortSignal.any.

/**
 * Uploads a file by whatever grant the server gives: a form, one PUT, or parts.
 *
 * An upload in parts outlives the page: paused, cut off, or closed, it goes on
 * where it was when upload is called with the same file again, here or after a
 * reload. What has arrived is asked from the server.
 *
 * Resolves to the receipt if the server completes uploads, else to what the grant
 * says. Rejects with an UploadError.
 */
export function upload(file: File | Unfinished, options: Options): Promise<Stored>;

/**
 * The uploads that can go on, the oldest first. One whose bytes have all been
 * sent needs no file: pass it to upload as it is. For the others the person
 * chooses the file again. What goes on already, here or in another tab, is not
 * among them.
 */
export function unfinished(options: Place): Promise<Unfinished[]>;

/**
 * Gives an unfinished upload up, here and on the server. Rejects with the code
 * "uploading_elsewhere" where another tab goes on with it.
 */
export function discard(upload: File | Unfinished, options: Options): Promise<void>;

/** What the server accepts, as the same rules say that judge an upload. */
export function rules(options: Pick<Options, "endpoint" | "headers" | "credentials" | "signal">): Promise<Rules>;

/**
 * The reason that pauses: controller.abort(PAUSE). Any other reason gives the
 * upload up, and leaves nothing of it on the server.
 */
export const PAUSE: unique symbol;

/** Which uploads are meant, of all that this browser began. */
export interface Place {
  /** Where the handler is mounted: "/uploads". */
  endpoint: string;
  /** Whose uploads, where several people or tenants use one browser. */
  scope?: string;
  /** Where unfinished uploads are kept: localStorage, or null for nowhere. */
  store?: Storage | null;
}

export interface Options extends Place {
  /** What authenticates requests to the endpoint. A function is called for each. */
  headers?: HeadersInit | (() => HeadersInit | Promise<HeadersInit>);
  /** As for fetch; "include" sends cookies to another origin. */
  credentials?: RequestCredentials;
  /** Goes to the server with the file's name, type and size. */
  metadata?: Record<string, string>;
  /** The folders in which the file was, "holiday/2026", for {path} in keys. */
  path?: string;
  /** Stops the upload: see PAUSE. */
  signal?: AbortSignal;
  /** Told of progress, which never goes back. A small file's comes at once. */
  onProgress?: (progress: Progress) => void;
  /** Told of what an upload waits for, whenever that changes. */
  onState?: (state: State) => void;
  /**
   * Whether what the bucket refuses is reported to the server, for its log. With
   * false, it is not.
   */
  report?: boolean;
  /**
   * Which checksums there are. Without it, the CRC64NVME of a file that goes up in
   * parts, computed while it is sent: the server compares it with the bucket's. With
   * true, the grant is also bound to the file's SHA-256, up to 100 MiB, and above that
   * each part to its own, which needs a secure context. With false, none.
   */
  checksum?: boolean;
  /**
   * How many parts are on their way at once, at most. Without it, as many as the line
   * is worth: up to 5.
   */
  parallel?: number;
}

/** What an upload waits for. */
export interface State {
  /** What is tried again, and why, or null. */
  retrying: Retrying | null;
  /** Whether another tab uploads the file, and this one waits for it. */
  elsewhere: boolean;
}

export interface Retrying {
  /** The code of the error that is hoped to pass, and who gave it. */
  code: string;
  from: UploadError["from"];
  /** When it is tried again, in ms since 1970. While the browser is offline, later. */
  at: number;
  /** How often it was tried. */
  tries: number;
}

/** What a server accepts, of whoever asks. A limit that is not there is none. */
export interface Rules {
  /** Media types and patterns: "image/*". */
  types?: string[];
  /** In bytes. */
  min_size?: number;
  max_size?: number;
  /** How many files one request may name. */
  max_files?: number;
  modes?: ("post" | "put" | "multipart")[];
  /** Larger files go up in parts, in bytes. */
  multipart_above?: number;
  /** Whether the server completes uploads. */
  complete?: boolean;
  /** Where files will go. */
  origin?: string;
  /** What is used of each limit of this user, where uploads are counted. */
  quota?: { tenant?: Quota; subject?: Quota; named?: Quota };
}

/** Bytes and files that are stored, uploads under way, and grants in a minute. */
export interface Quota {
  bytes?: Used;
  files?: Used;
  uploads?: Used;
  per_minute?: Used;
}

export interface Used {
  used: number;
  limit: number;
}

/** Bytes. */
export interface Progress {
  loaded: number;
  total: number;
  /** Whether pausing keeps what was sent. */
  resumable: boolean;
}

/** The server's receipt. Without completion it has the first five members. */
export interface Stored {
  key: string;
  location: string;
  filename: string;
  type: string;
  size: number;
  id?: string;
  etag?: string;
  subject?: string;
  tenant?: string;
  metadata?: Record<string, string>;
  sha256?: string;
  /**
   * The CRC64NVME of the file in base64, where the bucket tells it. What the browser
   * has computed was the same.
   */
  crc64nvme?: string;
  replayed?: boolean;
  duplicate?: boolean;
  /** What the application tells the page: see Receipt.Data. */
  data?: unknown;
}

export interface Unfinished {
  name: string;
  size: number;
  type: string;
  lastModified: number;
  /** How many bytes have arrived. */
  loaded: number;
  /** When the server forgets it, in ms since 1970. */
  expires: number;
}

/** Why an upload failed. */
export class UploadError extends Error {
  constructor(code: string, init?: UploadErrorInit);
  /**
   * The code of the server's problem document, or S3's own, or one of these:
   * "network" nobody answered; "unexpected" something else did; "aborted" and
   * "paused" by the signal; "file_unreadable" the file is gone or has changed;
   * "file_needed" an Unfinished cannot do without its file; "uploading_elsewhere"
   * another tab goes on with it; "bucket_unreachable" the server answers the page, and
   * the bucket does not, as it is without CORS rules; "blocked_by_policy" the page's
   * Content-Security-Policy forbids the connection; "clock_wrong" the bucket finds a
   * signature too old, or too new, that the server has just made.
   */
  readonly code: string;
  /** Who refused. */
  readonly from: "server" | "bucket" | "browser";
  /** The HTTP status, or 0. */
  readonly status: number;
  /** For a person, from the server; or S3's message. */
  readonly detail: string;
  /** The limits that were missed, where the server names them. */
  readonly limits: Limits;
  /** In how many seconds trying again may help, as the server says, or 0. */
  readonly retryAfter: number;
  /**
   * Whether the server says that this upload is over: what was kept of it is forgotten,
   * and completing it again is useless. Calling upload with the file begins another.
   */
  readonly ended: boolean;
  /**
   * Who can mend it: whoever runs the server and its bucket, or the person, by another
   * file or by signing in. With null, trying again may help, or nobody knows.
   */
  readonly mend: "operator" | "person" | null;
  /** S3's id of the request, or "". */
  readonly requestId: string;
}

export interface Limits {
  min_size?: number;
  max_size?: number;
  allowed_types?: string[];
  /** How much of a quota is used: of "quota_exceeded" in bytes, else how many. */
  used?: number;
  limit?: number;
}

export interface UploadErrorInit extends Limits {
  from?: UploadError["from"];
  status?: number;
  detail?: string;
  retryAfter?: number;
  ended?: boolean;
  requestId?: string;
  cause?: unknown;
}
