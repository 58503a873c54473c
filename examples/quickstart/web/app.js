// Each tenant has a section of the page: a <postern-upload>, which does the
// uploading, and the list of what has been uploaded.

import "/client/postern-upload.js";
import { Stored } from "./stored.js";

const template = document.getElementById("tenant");
const lists = [];

for (const tenant of document.querySelectorAll("input[name=tenant]")) {
  const section = template.content.firstElementChild.cloneNode(true);
  document.querySelector("main").append(section);
  const uploads = section.querySelector("postern-upload");
  const headers = () => ({ Authorization: `Bearer ${tenant.dataset.token}` });
  const stored = new Stored(section, headers);
  Object.assign(uploads, { headers, scope: tenant.value, unfinished: true });
  uploads.addEventListener("postern-complete", () => stored.refresh());
  stored.refresh();
  lists.push(stored);
  if (location.hash === `#${tenant.value}`) tenant.checked = true;
}

// Another tab may have uploaded meanwhile, and while a computer sleeps links expire.
document.addEventListener("visibilitychange", () => {
  if (!document.hidden) for (const stored of lists) stored.refresh();
});

function showTenant() {
  const chosen = document.querySelector("input[name=tenant]:checked");
  for (const uploads of document.querySelectorAll("postern-upload")) {
    uploads.parentElement.hidden = uploads.scope !== chosen.value;
  }
}

document.querySelector(".tenants").addEventListener("change", ({ target }) => {
  history.replaceState(null, "", `#${target.value}`); // outlives a reload
  showTenant();
});
showTenant();

// A file that is dropped beside the element would open in place of the page.
document.addEventListener("dragover", (event) => {
  if (event.dataTransfer.types.includes("Files")) event.preventDefault();
});
document.addEventListener("drop", (event) => {
  if (event.defaultPrevented || !event.dataTransfer.types.includes("Files")) return;
  event.preventDefault();
  document.querySelector("section:not([hidden]) postern-upload").add(event.dataTransfer);
});

// Leaving the page would cut what is still on its way.
addEventListener("beforeunload", (event) => {
  if (document.querySelector("postern-upload:state(uploading)")) event.preventDefault();
});
