// Uppy's uploader without a user interface, as its documentation has it for Companion.
import Uppy from "@uppy/core";
import AwsS3 from "@uppy/aws-s3";

/** Uploads files, and resolves once Uppy says that they are there. */
export async function upload(files, companionEndpoint, shouldUseMultipart) {
  const uppy = new Uppy().use(AwsS3, { companionEndpoint, shouldUseMultipart });
  // Uppy does not send the size by itself, and the server wants to know it.
  uppy.on("file-added", ({ id, size }) => uppy.setFileMeta(id, { size }));
  uppy.addFiles(files.map((data) => ({ name: data.name, type: data.type, data })));
  const { successful, failed } = await uppy.upload();
  if (failed.length) throw new Error(failed[0].error);
  return successful.length;
}
