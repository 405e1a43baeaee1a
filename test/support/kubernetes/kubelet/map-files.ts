// Files of ConfigMaps and Secrets in a volume. As the real kubelet has them: links into a folder that is exchanged as a whole, so
// that nobody sees half of a change.

import { createHash } from "node:crypto";
import {
  chmodSync,
  chownSync,
  mkdirSync,
  readdirSync,
  readlinkSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";

export type MapFile = readonly [path: string, content: Buffer];

const CURRENT = "..data";

/** @param gid of those who may read what `mode` gives to a group. */
export function writeMapFiles(folder: string, files: readonly MapFile[], mode: number, gid: number): void {
  const target = `..${digestOf(files)}`;
  const before = targetIn(folder);
  if (before === target) return;
  for (const [path, content] of files) {
    const file = join(folder, target, path);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, content);
    chownSync(file, 0, gid);
    chmodSync(file, mode);
  }
  mkdirSync(join(folder, target), { recursive: true });
  symlinkSync(target, join(folder, `${CURRENT}.new`));
  renameSync(join(folder, `${CURRENT}.new`), join(folder, CURRENT));
  const names = new Set(files.map(([path]) => path.split("/")[0]!));
  const there = readdirSync(folder).filter((name) => !name.startsWith(".."));
  for (const name of there) if (!names.has(name)) rmSync(join(folder, name));
  for (const name of names) if (!there.includes(name)) symlinkSync(join(CURRENT, name), join(folder, name));
  if (before !== null) rmSync(join(folder, before), { recursive: true });
}

function targetIn(folder: string): string | null {
  try {
    return readlinkSync(join(folder, CURRENT));
  } catch {
    return null; // the first time
  }
}

function digestOf(files: readonly MapFile[]): string {
  const hash = createHash("sha256");
  for (const [path, content] of files) hash.update(`${path.length} ${path} ${content.length} `).update(content);
  return hash.digest("hex").slice(0, 16);
}
