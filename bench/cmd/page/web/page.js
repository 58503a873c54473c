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
  const frames = []; // above 50 ms: to look at each would draw each
  const watch = new PerformanceObserver((list) => frames.push(...list.getEntries().map(({ duration }) => duration)));
  watch.observe({ type: "long-animation-frame" });
  await new Promise(requestAnimationFrame);
  const start = performance.now();
  const done = await work(chosen);
  const took = performance.now() - start;
  await new Promise((soon) => setTimeout(soon, 200)); // for what is observed late
  return { done, took, frame: Math.max(0, ...frames) };
}
