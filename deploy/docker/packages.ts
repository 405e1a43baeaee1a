// A package that stays one, with those that it needs: their code and libraries, and nothing that only people or compilers
// read.

import { cpSync, existsSync, readdirSync, readFileSync } from "node:fs";
import type { createRequire } from "node:module";
import { join } from "node:path";

export interface CopiedPackage {
  /** Where it was taken from. */
  readonly folder: string;
  /** Its files that the dynamic linker loads. */
  readonly native: readonly string[];
}

const NEEDED = /\.(c?js|mjs|json|node|wasm)$|\.so(\.[\d.]+)?$|^LICEN[CS]E/;

/** Copies a package and its dependencies below `app`. @returns all of them. */
export function copyPackage(name: string, resolve: ReturnType<typeof createRequire>, app: string): CopiedPackage[] {
  const copied = new Map<string, CopiedPackage>();
  const visit = (each: string) => {
    const folder = folderOf(each, resolve);
    if (folder === null || copied.has(each)) return;
    const files = filesOf(folder);
    for (const file of files) cpSync(join(folder, file), join(app, "node_modules", each, file));
    copied.set(each, { folder, native: files.filter((file) => /\.node$|\.so/.test(file)).map((f) => join(folder, f)) });
    const { dependencies = {}, optionalDependencies = {} } = manifestOf(folder);
    for (const next of Object.keys({ ...dependencies, ...optionalDependencies })) visit(next);
  };
  visit(name);
  return [...copied.values()];
}

/** @returns null for an optional one that is for another machine. */
function folderOf(name: string, resolve: ReturnType<typeof createRequire>): string | null {
  const places = resolve.resolve.paths(name) ?? [];
  return places.map((place) => join(place, name)).find((folder) => existsSync(join(folder, "package.json"))) ?? null;
}

function filesOf(folder: string): string[] {
  const { scripts = {} } = manifestOf(folder);
  const built = "install" in scripts ? ["install/", "src/"] : [];
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && NEEDED.test(entry.name))
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1))
    .filter((file) => !built.some((prefix) => file.startsWith(prefix)) && !file.startsWith("node_modules/"))
    .sort();
}

interface Manifest {
  readonly name: string;
  readonly version: string;
  readonly license?: string;
  readonly scripts?: Readonly<Record<string, string>>;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
}

export const manifestOf = (folder: string): Manifest => JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
