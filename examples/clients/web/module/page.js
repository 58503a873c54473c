import { PAUSE, upload } from "/client/postern.js";

const form = document.querySelector("#upload");
const [start, pause, cancel, status] = ["start", "pause", "cancel", "status"].map((name) =>
  document.querySelector(`[data-${name}]`));
const bar = form.querySelector("progress");
let controller;

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  controller = new AbortController();
  show("busy", "Uploading…");
  try {
    const receipt = await upload(form.file.files[0], {
      endpoint: "/large",
      scope: form.dataset.tenant,
      signal: controller.signal,
      onProgress({ loaded, total, resumable }) {
        bar.value = total ? loaded / total : 1;
        pause.hidden = !resumable;
      },
    });
    show("done", `Stored as ${receipt.key}`);
  } catch (error) {
    if (error.code === "paused") show("paused", "Paused. Choose the same file to go on, even after a reload.");
    else if (error.code === "aborted") show("cancelled", "Cancelled.");
    else show("failed", error.detail || `The upload failed (${error.code}).`);
  }
});

pause.addEventListener("click", () => controller.abort(PAUSE));
cancel.addEventListener("click", () => controller.abort());

function show(state, text) {
  const busy = state === "busy";
  status.dataset.status = state;
  status.textContent = text;
  start.textContent = state === "paused" ? "Go on" : "Upload";
  start.hidden = form.file.disabled = busy;
  cancel.hidden = !busy;
  if (!busy) pause.hidden = true;
  if (["busy", "cancelled"].includes(state)) bar.value = 0;
}
