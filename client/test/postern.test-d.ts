// The compiler compares what postern.d.ts promises with what there is: a member that is
// missing on either side, or of another type, is an error here.

import type * as promised from "../postern.js";
import type * as built from "../src/postern.js";
import { PAUSE, UploadError, discard, rules, unfinished, upload } from "../postern.js";
import type { Stored, Unfinished } from "../postern.js";
import type { Differences, None, Values } from "./same.js";

export type Exports = None<Exclude<Differences<Values<typeof promised>, Values<typeof built>>, "UploadError">>;
export type ErrorMembers = None<Differences<promised.UploadError, built.UploadError>>;
export type ErrorArguments = None<Differences<
  ConstructorParameters<typeof promised.UploadError>, ConstructorParameters<typeof built.UploadError>
>>;

// As people use it.
export const accepted = async (): Promise<string | undefined> => (await rules({ endpoint: "/uploads" })).types?.join();
export const sumOf = ({ crc64nvme }: Stored): string => crc64nvme ?? "";
export const rowOf = ({ data }: Stored): number => (data as { row: number }).row;
// @ts-expect-error what it is only the application knows
export const guessed = ({ data }: Stored): number => data.row;

export async function use(file: File): Promise<Stored> {
  const [kept]: Unfinished[] = await unfinished({ endpoint: "/uploads", store: null });
  await discard(kept, { endpoint: "/uploads" });
  try {
    return await upload(kept, {
      endpoint: "/uploads",
      signal: AbortSignal.abort(PAUSE),
      checksum: false,
      headers: async () => ({ Authorization: "Bearer x" }),
      onProgress: ({ loaded, total }) => loaded / total,
      onState: ({ retrying }) => retrying?.code,
      report: false,
    });
  } catch (error) {
    if (!(error instanceof UploadError) || error.ended) throw error;
    const ended: boolean = error.ended;
    // @ts-expect-error errors do not change
    error.ended = !ended;
  }
  // @ts-expect-error there is no default for the endpoint
  return upload(file, {});
}
