// What uppy.d.ts promises is what there is, and Uppy's own types take it.

import Uppy, { type Meta } from "@uppy/core";
import Built from "../src/uppy.js";
import { UploadError } from "../postern.js";
import Postern, { type PosternOptions, type Receipt } from "../uppy.js";
import type { Differences, None } from "./same.js";

export type Members = None<Exclude<
  Differences<InstanceType<typeof Postern<Meta, Receipt>>, InstanceType<typeof Built>>, "defaultLocale" // narrowed
>>;
export type Arguments = None<Differences<
  ConstructorParameters<typeof Postern<Meta, Receipt>>, ConstructorParameters<typeof Built>
>>;

// As people use it.
const uppy = new Uppy<Meta, Receipt>().use(Postern, { endpoint: "/uploads", headers: () => ({ Authorization: "Bearer x" }) });
uppy.on("upload-success", (_, { body }) => body?.key.slice(1));
uppy.on("upload-error", (_, error) => error instanceof UploadError && error.retryAfter);
uppy.getPlugin<Postern<Meta, Receipt>>("Postern")?.setOptions({ allowedMetaFields: ["caption"], locale: { strings: { no_room: "Full" } } });
// @ts-expect-error there is no default for the endpoint
new Uppy().use(Postern, {});
// @ts-expect-error Uppy ends uploads
export const wrong: PosternOptions = { endpoint: "/uploads", signal: AbortSignal.abort() };
