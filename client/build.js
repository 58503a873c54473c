// Makes what is served, and what npm has, dist, of the sources in src. The same sources
// make the same bytes.

import { mkdir, readdir, writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const NOTE = "// Postern, MIT License. The sources are in client/src of https://github.com/postern-go/postern";

const files = await readdir(new URL("src/locales/", import.meta.url));
const locales = files.filter((file) => file !== "en.js").map((file) => `src/locales/${file}`);

/** For npm alone. */
const frameworks = ["react", "vue", "svelte"].map((name) => `src/${name}.js`);

/** Bundles what is served, and leaves the files alone. */
export function bundle() {
  return build({
    absWorkingDir: import.meta.dirname,
    entryPoints: ["src/postern.js", "src/postern-upload.js", "src/uppy.js", "src/crc64.js", "src/kept.js", ...frameworks, ...locales],
    outdir: "dist",
    outbase: "src",
    // One copy of each on a page, and no more than is needed.
    external: ["./postern.js", "./crc64.js", "./kept.js", "@uppy/core", "react", "vue", ...locales.map((path) => path.replace("src", "."))],
    bundle: true,
    minify: true,
    format: "esm",
    target: "es2022",
    charset: "utf8",
    banner: { js: NOTE },
    legalComments: "none",
    metafile: true,
    write: false,
    logLevel: "warning",
  });
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { outputFiles } = await bundle();
  await mkdir(new URL("dist/locales/", import.meta.url), { recursive: true });
  await Promise.all(outputFiles.map(({ path, contents }) => writeFile(path, contents)));
}
