import Uppy from "@uppy/core";
import Dashboard from "@uppy/dashboard";
import GoldenRetriever from "@uppy/golden-retriever";
import Postern from "/client/uppy.js";

const mode = location.search.slice(1) || "parts";
const endpoint = { parts: "/large", forms: "/uploads", puts: "/uppy/puts" }[mode];
const scope = document.querySelector("#dashboard").dataset.tenant;

const uppy = new Uppy({ id: `${scope}-${mode}` })
  .use(Dashboard, {
    target: "#dashboard", inline: true, width: "100%", height: 420, theme: "auto",
    showLinkToFileUploadResult: true, proudlyDisplayPoweredByUppy: false,
  })
  .use(Postern, { endpoint, scope });

if (mode === "parts") uppy.use(GoldenRetriever);

// The body of the response is the server's receipt.
uppy.on("upload-success", (file, { body }) => {
  const line = document.createElement("li");
  line.textContent = `${body.filename} is stored as ${body.key}`;
  document.querySelector("#receipts").append(line);
});
