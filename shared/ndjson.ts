// Small files of one JSON document a line, read whole; long ones are read a piece at a time (shared/ledger/read.ts).

import { existsSync, readFileSync } from "node:fs";

/** All documents of a file, in order; none where there is no file. A line torn by a crash is passed over. */
export function readNdjson<T>(file: string): T[] {
  if (!existsSync(file)) return [];
  return readFileSync(file, "utf8")
    .split("\n")
    .flatMap((line) => {
      try {
        return line ? [JSON.parse(line) as T] : [];
      } catch {
        return [];
      }
    });
}
