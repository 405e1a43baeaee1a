// Writes the ledger: ledger.ndjson, one line a committed step.
//
// I1. Lines are appended in the order of their steps, each in one write.
// I2. A resume at step S cuts the lines of steps >= S, which will be computed again, and what a crash tore; the file is
//     the old one or the cut one, never a part. It is a new file, so a writer that is left over cannot reach it.

import {
  closeSync,
  copyFileSync,
  existsSync,
  fsyncSync,
  openSync,
  renameSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { PlumeError } from "../errors.ts";
import { invariant } from "../invariant.ts";
import type { LedgerLine } from "./line.ts";
import { parseJson, wholeLines } from "./read.ts";

export interface LedgerWriter {
  /** Hands the line to the operating system: it survives the death of this process. @throws PlumeError RESOURCE_EXHAUSTED */
  append(line: LedgerLine): void;
  /** Forces the lines to the disk: they survive the death of the machine. Before a checkpoint that builds on them. */
  flush(): void;
  /** Flushes and closes; twice is safe. */
  close(): void;
}

/** Opens the ledger to append the lines of steps from `firstStep` on. */
export function openLedger(file: string, firstStep: number): LedgerWriter {
  cut(file, firstStep);
  let descriptor: number | null = openSync(file, "a");
  let next = firstStep;
  return {
    append(line) {
      invariant(descriptor !== null, "the ledger is open");
      invariant(line.step === next, `the ledger's next line is of step ${next}, not ${line.step}`);
      writeWhole(descriptor, `${JSON.stringify(line)}\n`, `step ${line.step} to ${file}`);
      next++;
    },
    flush() {
      if (descriptor !== null) fsyncSync(descriptor);
    },
    close() {
      if (descriptor === null) return;
      fsyncSync(descriptor);
      closeSync(descriptor);
      descriptor = null;
    },
  };
}

function cut(file: string, firstStep: number): void {
  const staged = `${file}.tmp`;
  if (existsSync(file)) {
    copyFileSync(file, staged);
    truncateSync(staged, bytesBefore(file, firstStep));
  } else writeFileSync(staged, "");
  const descriptor = openSync(staged, "r+");
  fsyncSync(descriptor);
  closeSync(descriptor);
  renameSync(staged, file);
}

/** Length of the part that ends with the last readable line of a step before `firstStep`. */
function bytesBefore(file: string, firstStep: number): number {
  let kept = 0;
  for (const { text, end } of wholeLines(file)) {
    const step = (parseJson(text) as { step?: unknown } | null | undefined)?.step;
    if (typeof step !== "number") continue; // damage: evidence where lines follow it, torn where none does
    if (step >= firstStep) break;
    kept = end;
  }
  return kept;
}

function writeWhole(descriptor: number, text: string, what: string): void {
  const bytes = Buffer.from(text);
  try {
    for (let done = 0; done < bytes.length; ) done += writeSync(descriptor, bytes, done);
  } catch (error) {
    throw new PlumeError("RESOURCE_EXHAUSTED", `cannot write ${what}: ${(error as Error).message}`, {
      remedy: "free some space on its disk; the run goes on from its newest checkpoint",
      cause: error,
    });
  }
}
