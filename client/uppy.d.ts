// The types of uppy.js, an uploader for Uppy around postern.js.

import type { BasePlugin, Body, Meta, PluginOpts, Uppy } from "@uppy/core";
import type { Options, Stored } from "./postern.js";

/**
 * Uploads Uppy's files by the grants of a Postern server.
 *
 * What the server says of an upload, the receipt, is the body of the response in
 * "upload-success" and in file.response, and its location is file.uploadURL. What
 * "upload-error" brings is an UploadError of postern.js, whose message is for people.
 *
 *     new Uppy().use(Dashboard, { … }).use(Postern, { endpoint: "/uploads" });
 */
export default class Postern<M extends Meta, B extends Body> extends BasePlugin<PosternOptions, M, B> {
  constructor(uppy: Uppy<M, B>, options: PosternOptions);
}

/** What upload takes of the same names, for all files. */
export interface PosternOptions
  extends PluginOpts, Pick<Options, "endpoint" | "scope" | "store" | "headers" | "credentials" | "checksum" | "parallel" | "report"> {
  /**
   * Which fields of a file's meta go along as metadata: all of them, which is the
   * default, none, or those of these names. Fields that are not text, numbers or booleans
   * do not; name, type and relativePath do as what they are.
   */
  allowedMetaFields?: boolean | string[];
}

/** The body of a response: new Uppy<Meta, Receipt>(). */
export type Receipt = { [K in keyof Stored]: Stored[K] };
