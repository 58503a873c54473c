// Uploads the files that are chosen, and tells how long that took.
import "/client/postern-upload.js";
import { upload } from "/uppy.js";

/** By the element, which is on the page with its endpoint. */
window.byPostern = () => measure((chosen) => new Promise((resolve, reject) => {
  const element = document.querySelector("postern-upload");
  let done = 0;
  element.addEventListener("postern-complete", () => ++done === chosen.length && resolve(done));
  element.addEventListener("postern-error", ({ detail }) => reject(detail.error));
  element.add(chosen);
}));

/** By Uppy, at an endpoint of Companion's protocol. */
window.byUppy = (endpoint, inParts) => measure((chosen) => upload(chosen, endpoint, inParts));

/** Times what is done with the files, and watches the page meanwhile; all in ms. */
async function measure(work) {
  const chosen = [...document.querySelector("#files").files];
  const tasks = [];
  const watch = new PerformanceObserver((list) => tasks.push(...list.getEntries().map(({ duration }) => duration)));
  watch.observe({ type: "longtask" });
  await new Promise(requestAnimationFrame);
  let frame = await new Promise(requestAnimationFrame);
  let over = false;
  let gap = 0;
  requestAnimationFrame(function next(at) {
    gap = Math.max(gap, at - frame);
    frame = at;
    if (!over) requestAnimationFrame(next);
  });
  const start = performance.now();
  const done = await work(chosen);
  const took = performance.now() - start;
  await new Promise(requestAnimationFrame);
  over = true;
  await new Promise((soon) => setTimeout(soon, 100)); // for what is observed late
  return { done, took, gap, tasks };
}
