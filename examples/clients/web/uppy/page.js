import Uppy from "@uppy/core";
import Dashboard from "@uppy/dashboard";
import AwsS3 from "@uppy/aws-s3";
import GoldenRetriever from "@uppy/golden-retriever";
import { complete, keyOf, signRequest } from "./signed.js";

const mode = location.search.slice(1) || "parts";
const endpoint = { forms: "/uploads", puts: "/uppy/puts" }[mode]; // without Companion

const uppy = new Uppy({ id: mode })
  .use(Dashboard, {
    target: "#dashboard", inline: true, width: "100%", height: 420, theme: "auto",
    showLinkToFileUploadResult: true, proudlyDisplayPoweredByUppy: false,
  });

if (endpoint) {
  uppy.use(AwsS3, { signRequest: signRequest(uppy, endpoint), generateObjectKey: keyOf, shouldUseMultipart: false });
  uppy.addPostProcessor(complete(uppy, endpoint));
} else {
  uppy.use(AwsS3, { companionEndpoint: `/uppy/${mode}`, shouldUseMultipart: mode === "parts" });
  // Uppy does not send the size by itself, and the server wants to know it.
  uppy.on("file-added", ({ id, size }) => uppy.setFileMeta(id, { size }));
}

if (mode === "parts") uppy.use(GoldenRetriever);
