// What templates and JSX may give <postern-upload>: its attributes, its properties, and
// listeners to its events.

import type { PosternUpload, PosternUploadEventMap } from "./postern-upload.js";

/**
 * Attributes and properties. Those that are of one name are the same; attributes with a
 * hyphen are what server rendering writes.
 */
export interface PosternUploadProps extends Partial<Pick<
  PosternUpload,
  | "endpoint" | "accept" | "multiple" | "maxSize" | "maxFiles" | "name" | "required" | "disabled" | "checksum" | "scope"
  | "credentials" | "concurrency" | "unfinished" | "keepSize" | "capture" | "folder" | "compact" | "previews" | "resize" | "convert"
  | "leaveWarning" | "headers" | "metadata"
>> {
  "max-size"?: number | string;
  "max-files"?: number | string;
  "keep-size"?: number | string;
  "leave-warning"?: boolean;
  texts?: PosternUpload["texts"] | null;
}

/** Listeners by the name of their event, after a prefix. */
export type PosternUploadListeners<Prefix extends string> = {
  [Type in keyof PosternUploadEventMap as `${Prefix}${Type}`]?: (event: PosternUploadEventMap[Type]) => unknown;
};
