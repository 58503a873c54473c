import Uppy from "@uppy/core";
import AwsS3 from "@uppy/aws-s3";

const form = document.querySelector("#upload");
const progress = form.querySelector("progress");
const [start, pause, cancel, status] = ["start", "pause", "cancel", "status"].map((name) =>
  document.querySelector(`[data-${name}]`));
let uppy;

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const [file] = form.file.files;
  const single = form.single.checked;
  uppy = new Uppy().use(AwsS3, { endpoint: single ? "/uppy5/single" : "/uppy5/parts", shouldUseMultipart: !single });
  uppy.on("upload-progress", (_, { bytesUploaded, bytesTotal }) => (progress.value = bytesUploaded / bytesTotal));
  uppy.on("cancel-all", () => show("cancelled", "Cancelled."));
  // Uppy does not send the size by itself, and the server wants to know it.
  uppy.addFile({ name: file.name, type: file.type, data: file, meta: { size: file.size } });
  show("busy", "Uploading…");
  const { successful = [], failed = [] } = (await uppy.upload()) ?? {};
  if (failed.length) show("failed", failed[0].error);
  else if (successful.length) {
    progress.value = 1; // Uppy may not have told of the last bytes
    const [{ uploadURL, response }] = successful;
    const data = response.body.data; // the application's, if it was asked to complete
    show("done", `Stored${data ? ` as number ${data.number}` : ""} at ${uploadURL}`);
  }
});

pause.addEventListener("click", () => {
  const [{ id }] = uppy.getFiles();
  const paused = uppy.pauseResume(id);
  show(paused ? "paused" : "busy", paused ? "Paused." : "Uploading…");
});
cancel.addEventListener("click", () => uppy.cancelAll());

function show(state, text) {
  const busy = state === "busy" || state === "paused";
  status.dataset.status = state;
  status.textContent = text;
  start.hidden = form.file.disabled = form.single.disabled = busy;
  cancel.hidden = !busy;
  pause.hidden = !busy || form.single.checked;
  pause.textContent = state === "paused" ? "Go on" : "Pause";
}
