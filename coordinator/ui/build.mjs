// A page as the browser gets it: index.html, page.js, style.css and icon.svg, of the sources in this folder: the live page of a
// run (page), and the one where people draw (generate).

import { readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";

const HERE = fileURLToPath(new URL(".", import.meta.url));
const PAGES = { page: ".", generate: "generate" };

export async function pageFiles(page) {
  const folder = PAGES[page];
  const { build } = await import("esbuild");
  const { outputFiles } = await build({
    absWorkingDir: HERE,
    entryPoints: { page: join(folder, "main.ts"), style: "style.css" },
    outdir: "out",
    write: false,
    bundle: true,
    minify: true,
    platform: "browser",
    format: "esm",
    target: ["chrome115", "firefox115", "safari16.4"],
    legalComments: "none",
    logLevel: "error",
  });
  const built = outputFiles.map(({ path, contents }) => ({ name: basename(path), contents }));
  const plain = (path) => ({ name: basename(path), contents: readFileSync(join(HERE, path)) });
  return [plain(join(folder, "index.html")), plain("icon.svg"), ...built];
}
