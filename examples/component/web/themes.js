// Fills each element of the page with uploads in the states that it shows.

await customElements.whenDefined("postern-upload");

/** An image of one colour, from 0 to 360. */
async function image(name, hue) {
  const canvas = Object.assign(document.createElement("canvas"), { width: 160, height: 120 });
  const context = canvas.getContext("2d");
  context.fillStyle = `hsl(${hue} 60% 60%)`;
  context.fillRect(0, 0, 160, 120);
  context.fillStyle = `hsl(${hue + 40} 70% 80%)`;
  context.arc(110, 40, 20, 0, 7);
  context.fill();
  return new File([await new Promise((done) => canvas.toBlob(done))], name, { type: "image/png", lastModified: hue });
}

// More than is sent at once, so that it can be paused.
const LARGE = 40_000_000;
const large = () => new File([new Uint8Array(LARGE)], "panorama.png", { type: "image/png", lastModified: 1 });

const MAKE = {
  done: async () => [await image("evening-at-sea.png", 200)],
  mixed: async () => [await image("صورة من الشاطئ 2026.png", 30)],
  long: async () => [await image("panorama-from-the-lighthouse-with-all-of-the-islands-before-the-storm.png", 120)],
  refused: async () => [new File(["%PDF-1.7"], "travel-expenses.pdf", { type: "application/pdf" })],
  many: () => Promise.all(Array.from({ length: 40 }, (_, i) => image(`photo-${i + 1}.png`, i * 9))),
};

for (const element of document.querySelectorAll("postern-upload[data-files]")) {
  const kinds = element.dataset.files.split(" ");
  const files = (await Promise.all(kinds.filter((kind) => kind !== "paused").map((kind) => MAKE[kind]()))).flat();
  const images = files.filter(({ type }) => type.startsWith("image/")).length;
  element.addEventListener("postern-complete", () => {
    if (kinds.includes("paused") && element.receipts.length === images) element.add([large()]);
  });
  element.addEventListener("postern-progress", ({ detail: { total, resumable } }) => {
    if (resumable && total === LARGE) element.pause();
  });
  element.add(files);
}
