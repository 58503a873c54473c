// Shows what has arrived, and takes photos that are dropped beside the component.

import "/client/postern-upload.js";

const find = (id) => document.getElementById(id);
const uploads = document.querySelector("postern-upload");

uploads.texts = {
  drop_many: "Drop photos here, or choose them",
  size_too_large: "Your plan allows photos up to {max}.",
  size_just_over: "Your plan allows photos up to {max}.",
  type_not_allowed: "This is not a photo of an accepted type.",
  content_mismatch: "This is not a photo of an accepted type.",
  unauthenticated: "You are signed out. Reload the page to sign in again.",
  "image/jpeg": "JPEG",
  "image/png": "PNG",
  "image/gif": "GIF",
  "image/webp": "WebP",
  "image/avif": "AVIF",
};

// A photo that is shown need not be in the list of uploads, too.
uploads.addEventListener("postern-complete", async ({ detail: { id, key } }) => {
  await refresh().catch(() => {}); // it is stored all the same
  if (shown(id)) uploads.dismiss(key);
});

// What is dropped beside the component would replace the page.
for (const type of ["dragover", "dragleave", "drop"]) {
  document.addEventListener(type, (event) => {
    if (!event.dataTransfer.types.includes("Files")) return;
    document.body.classList.toggle("over", type === "dragover");
    if (event.defaultPrevented) return; // it was dropped there
    event.preventDefault();
    if (type === "drop") uploads.add(event.dataTransfer);
  });
}

const shown = (id) => document.querySelector(`[data-photo="${id}"]`);

let last = Promise.resolve();
let next = null; // that has not begun

// refresh takes what is new from the page as it is now, for all that ask meanwhile.
function refresh() {
  if (!next) {
    next = last.then(() => {
      next = null;
      return load();
    });
    last = next.catch(() => {});
  }
  return next;
}

async function load() {
  const response = await fetch("/");
  if (!response.ok) return;
  const page = new DOMParser().parseFromString(await response.text(), "text/html");
  const [now, newer] = [find("photos"), page.getElementById("photos")];
  const list = now.querySelector(".photos");
  if (!newer) return location.reload(); // signed out by now
  if (!list) return now.replaceWith(newer);
  for (const photo of [...newer.querySelectorAll("[data-photo]")].reverse()) {
    if (!shown(photo.dataset.photo)) list.prepend(photo);
  }
}
