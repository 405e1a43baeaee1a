// What a layer records beside the bytes: modes and times. Fixed, so that the same files make the same layer.

import { chmodSync, lstatSync, lutimesSync, readdirSync } from "node:fs";
import { join } from "node:path";

/** Of every file: a layer must not tell when it was built. */
const EPOCH = 0;
/** Run, or loaded by the dynamic linker. */
const EXECUTABLE = /(^|\/)bin\/[^/]+$|\.so(\.[\d.]+)?$/;

export function settle(root: string): void {
  const visit = (folder: string) => {
    for (const { name } of readdirSync(join(root, folder), { withFileTypes: true })) {
      const path = join(folder, name);
      const stat = lstatSync(join(root, path));
      if (stat.isDirectory()) visit(path);
      else if (stat.isFile()) chmodSync(join(root, path), EXECUTABLE.test(path) ? 0o755 : 0o644);
      lutimesSync(join(root, path), EPOCH, EPOCH);
    }
    chmodSync(join(root, folder), folder === "tmp" ? 0o1777 : 0o755);
    lutimesSync(join(root, folder), EPOCH, EPOCH);
  };
  visit("");
}
