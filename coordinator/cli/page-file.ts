// A page on disk.

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { PlumeError } from "../../shared/errors.ts";
import { megabytes } from "./table.ts";

export const defaultPage = (dir: string): string => join(dir, "report.html");

/** @returns its bytes. @throws PlumeError INVALID_ARGUMENT */
export function writePage(file: string, page: string): number {
  try {
    writeFileSync(file, page);
  } catch (cause) {
    throw new PlumeError("INVALID_ARGUMENT", `${file} cannot be written: ${(cause as Error).message}`, {
      remedy: "name another file with -o",
      cause,
    });
  }
  return Buffer.byteLength(page);
}

export const describePage = (file: string, bytes: number): string =>
  `${file} (${megabytes(bytes)}); open it in a browser`;
