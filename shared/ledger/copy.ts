// A ledger made of pieces that came from elsewhere: whole under its name, or not there.

import { closeSync, fsyncSync, ftruncateSync, openSync, renameSync, rmSync, writeSync } from "node:fs";
import { beginLine } from "./line.ts";

export interface LedgerCopy {
  /** What follows are the lines of this step and later ones; what was there before is dropped. */
  begin(step: number): void;
  append(lines: Uint8Array): void;
  /** It takes the place of the file. */
  keep(): void;
  /** It is gone, unless it was kept. */
  close(): void;
}

export function openLedgerCopy(file: string): LedgerCopy {
  const staged = `${file}.tmp`;
  const descriptor = openSync(staged, "w");
  let offset = 0;
  let kept = false;
  const append = (bytes: Uint8Array) => {
    for (let done = 0; done < bytes.length; )
      done += writeSync(descriptor, bytes, done, bytes.length - done, offset + done);
    offset += bytes.length;
  };
  return {
    append,
    begin(step) {
      ftruncateSync(descriptor, 0);
      offset = 0;
      if (step > 0)
        append(Buffer.from(beginLine(step, "the ledger of the steps before did not come with the checkpoint")));
    },
    keep() {
      fsyncSync(descriptor);
      renameSync(staged, file);
      kept = true;
    },
    close() {
      closeSync(descriptor);
      if (!kept) rmSync(staged, { force: true });
    },
  };
}
