// The page as the browser gets it: index.html, page.js, page.css and icon.svg, of the sources in this folder.

import { readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";

const HERE = fileURLToPath(new URL(".", import.meta.url));
/** As they are. */
const PLAIN = ["index.html", "icon.svg"];

export async function pageFiles() {
  const { build } = await import("esbuild");
  const { outputFiles } = await build({
    absWorkingDir: HERE,
    entryPoints: { page: "main.ts", style: "style.css" },
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
  return [...PLAIN.map((name) => ({ name, contents: readFileSync(join(HERE, name)) })), ...built];
}
