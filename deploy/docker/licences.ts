// What the licences of the packages ask of whoever passes them on: their names and their words, in one file.

import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { ROOT } from "../../shared/root.ts";
import { manifestOf } from "./packages.ts";

/** @param inputs files of a bundle, relative to the root. @param folders packages that are in the image as they are. */
export function licences(inputs: readonly string[], folders: readonly string[]): string {
  const bundled = inputs.flatMap((file) => /^node_modules\/(?:@[^/]+\/)?[^/]+/.exec(file)?.[0] ?? []);
  const all = new Set([...bundled.map((folder) => join(ROOT, folder)), ...folders]);
  return [...all].sort().map(chapter).join("\n");
}

function chapter(folder: string): string {
  const { name, version, license = "see its text" } = manifestOf(folder);
  const files = readdirSync(folder).filter((file) => /^(licen[cs]e|copying|notice)/i.test(file));
  const words = files.sort().map((file) => readFileSync(join(folder, file), "utf8").trim());
  return [`${"=".repeat(80)}\n${name} ${version} (${license})\n${"=".repeat(80)}`, ...words, ""].join("\n\n");
}
