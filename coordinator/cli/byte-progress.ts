// How far something that moves bytes has come: a line that renews itself, on a terminal alone; and how fast it was.

import { megabytes } from "./table.ts";

export interface ByteProgress {
  add(bytes: number): void;
  /** Takes the line away, so that something else can be printed. */
  clear(): void;
  done(): { readonly seconds: number; readonly gigabytesPerSecond: number };
}

/** @param verb what was done to the bytes. @param now milliseconds. */
export function createByteProgress(
  output: NodeJS.WriteStream,
  verb: string,
  total: number,
  now: () => number,
): ByteProgress {
  const started = now();
  let bytes = 0;
  const wipe = () => void (output.isTTY && output.write("\r\x1b[K"));
  return {
    add(more) {
      bytes += more;
      if (!output.isTTY) return;
      wipe();
      output.write(`  ${megabytes(bytes)} of ${megabytes(total)} ${verb}`);
    },
    clear: wipe,
    done() {
      const seconds = Math.max((now() - started) / 1000, 1e-6);
      return { seconds, gigabytesPerSecond: bytes / 1e9 / seconds };
    },
  };
}
