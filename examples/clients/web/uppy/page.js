import Uppy from "@uppy/core";
import Dashboard from "@uppy/dashboard";
import AwsS3 from "@uppy/aws-s3";
import GoldenRetriever from "@uppy/golden-retriever";

const single = location.search === "?single";

const uppy = new Uppy({ id: single ? "single" : "parts" })
  .use(Dashboard, {
    target: "#dashboard", inline: true, width: "100%", height: 420, theme: "auto",
    showLinkToFileUploadResult: true, proudlyDisplayPoweredByUppy: false,
  })
  .use(AwsS3, { companionEndpoint: single ? "/uppy/single" : "/uppy/parts", shouldUseMultipart: !single });

// Uppy does not send the size by itself, and the server wants to know it.
uppy.on("file-added", ({ id, size }) => uppy.setFileMeta(id, { size }));

if (!single) uppy.use(GoldenRetriever);
