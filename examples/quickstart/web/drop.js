// watchDrops takes files that are dropped anywhere on the page, and marks the
// zone while they hover. A folder can't be read as a file: it is refused.
export function watchDrops(zone, { files, refused }) {
  let depth = 0; // dragenter and dragleave also come from the elements inside
  const mark = (step) => {
    depth = Math.max(0, depth + step);
    zone.toggleAttribute("data-over", depth > 0);
  };
  const holdsFiles = (event) => event.dataTransfer?.types.includes("Files");
  const listen = (type, handle) =>
    document.addEventListener(type, (event) => {
      if (!holdsFiles(event)) return;
      event.preventDefault(); // else the browser opens the file
      handle(event);
    });

  listen("dragenter", () => mark(+1));
  listen("dragleave", () => mark(-1));
  listen("dragover", (event) => (event.dataTransfer.dropEffect = "copy"));
  listen("drop", ({ dataTransfer }) => {
    mark(-depth);
    const items = [...dataTransfer.items].filter((item) => item.kind === "file");
    const isFolder = (item) => item.webkitGetAsEntry?.()?.isDirectory ?? false;
    const dropped = items.filter((item) => !isFolder(item)).map((item) => item.getAsFile());
    files(dropped);
    if (dropped.length < items.length) refused();
  });
}
