import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const architecture = readFileSync(join(ROOT, "ARCHITECTURE.md"), "utf8");

const sectionOf = (title: string): string => architecture.split(/^## /m).find((part) => part.startsWith(title)) ?? "";

/** Stops of the walks: "1. `file` `name`: what happens there". */
const walks = sectionOf("Six walks")
  .split(/^### /m)
  .slice(1)
  .map((walk) => ({
    title: walk.split("\n")[0]!,
    stops: [...walk.matchAll(/^\d+\. `([^`]+)` `([^`]+)`: /gm)].map(([, file, name]) => ({ file: file!, name: name! })),
    numbered: [...walk.matchAll(/^\d+\. /gm)].length,
  }));

function* folders(folder: string): Generator<string> {
  const entries = readdirSync(join(ROOT, folder), { withFileTypes: true });
  if (entries.some((entry) => entry.isFile() && /\.(ts|mjs|proto|yaml)$/.test(entry.name))) yield folder;
  for (const entry of entries)
    if (entry.isDirectory() && entry.name !== "gen") yield* folders(`${folder}/${entry.name}`);
}

describe("ARCHITECTURE.md", () => {
  it("has six walks, every stop of which names a file and something that is defined in it", () => {
    expect(walks).toHaveLength(6);
    for (const { title, stops, numbered } of walks) {
      expect(stops.length, title).toBe(numbered);
      for (const { file, name } of stops) {
        expect(existsSync(join(ROOT, file)), `${title}: ${file}`).toBe(true);
        const source = readFileSync(join(ROOT, file), "utf8");
        const defined = new RegExp(
          `(?:function\\*?|const|let|class|interface|type) ${name}\\b|^\\s+(?:async )?${name}[(:]`,
          "m",
        );
        expect(defined.test(source), `${title}: ${file} defines ${name}`).toBe(true);
      }
    }
  });

  it.each(["ARCHITECTURE.md", "CONTRIBUTING.md", "README.md"])("%s names files that exist", (document) => {
    const text = readFileSync(join(ROOT, document), "utf8");
    const files = [...text.matchAll(/`([\w./-]+\.(?:ts|mjs|md|json|proto))`/g)].map(([, file]) => file!);
    const ours = files.filter((file) => /^(coordinator|worker|shared|proto|deploy|test)\//.test(file));
    const missing = ours.filter((file) => !existsSync(join(ROOT, file)));
    expect(missing).toEqual([]);
  });

  it("explains at most forty words", () => {
    const words = [...sectionOf("Words").matchAll(/^\| (?!word|---)/gm)];
    expect(words.length).toBeGreaterThan(20);
    expect(words.length).toBeLessThanOrEqual(40);
  });
});

describe("every room", () => {
  const rooms = ["coordinator", "worker", "shared", "proto", "deploy"].flatMap((folder) => [...folders(folder)]);
  // The folder of a protobuf package and those of files that a script reads belong to the room above them.
  const own = rooms.filter((folder) => !/^proto\/|^deploy\//.test(folder));

  it.each(own)("%s opens with a paragraph on what it owns", (folder) => {
    const file = join(ROOT, folder, "README.md");
    expect(existsSync(file), `${folder}/README.md exists`).toBe(true);
    const [title, , paragraph] = readFileSync(file, "utf8").split("\n");
    expect(title).toMatch(/^# \w/);
    expect(paragraph!.length).toBeGreaterThan(40);
  });
});
