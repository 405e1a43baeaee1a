// Writes the ledger: ledger.ndjson, one line a committed step.
//
// I1. Lines are appended in the order of their steps, each in one write.
// I2. A resume at step S cuts the lines of steps >= S, which will be computed again, and what a crash tore; the file is
//     the old one or the cut one, never a part.
// I3. Opening makes a new file under the old name, so a writer that is left over appends to a file without a name: its
//     line is no commit, and it finds out at once.

import {
  closeSync,
  copyFileSync,
  existsSync,
  fstatSync,
  fsync,
  fsyncSync,
  openSync,
  renameSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { promisify } from "node:util";
import { PlumeError } from "../errors.ts";
import { invariant } from "../invariant.ts";
import { beginLine, type LedgerLine, parseBegin } from "./line.ts";
import { parseJson, stepOfLine, wholeLines } from "./read.ts";
import { type LedgerLines, openLedgerLines } from "./segments.ts";

export interface LedgerWriter {
  /** The gradient's digest of each step that was cut: computed again, it must come out the same. */
  readonly cut: ReadonlyMap<number, string>;
  /** What it has on the disk. */
  readonly lines: LedgerLines;
  /**
   * Hands the line to the operating system: it survives the death of this process.
   * @throws PlumeError RESOURCE_EXHAUSTED; STALE when another coordinator has opened the ledger since.
   */
  append(line: LedgerLine): void;
  /** Forces the lines to the disk: they survive the death of the machine. Before a checkpoint that builds on them. */
  flush(): Promise<void>;
  /** Flushes and closes; twice is safe. */
  close(): void;
}

/** Opens the ledger to append the lines of steps from `firstStep` on. */
export function openLedger(file: string, firstStep: number): LedgerWriter {
  const { cut, kept } = cutFrom(file, firstStep);
  let descriptor: number | null = openSync(file, "a");
  let next = firstStep;
  return {
    cut,
    lines: openLedgerLines(file, { step: firstStep, offset: kept }),
    append(line) {
      invariant(descriptor !== null, "the ledger is open");
      invariant(line.step === next, `the ledger's next line is of step ${next}, not ${line.step}`);
      writeWhole(descriptor, `${JSON.stringify(line)}\n`, `step ${line.step} to ${file}`);
      if (fstatSync(descriptor).nlink === 0)
        throw new PlumeError("STALE", `step ${line.step} is not committed: another coordinator has taken over ${file}`);
      next++;
    },
    async flush() {
      if (descriptor !== null) await promisify(fsync)(descriptor);
    },
    close() {
      if (descriptor === null) return;
      fsyncSync(descriptor);
      closeSync(descriptor);
      descriptor = null;
    },
  };
}

function cutFrom(file: string, firstStep: number): Tail {
  const staged = `${file}.tmp`;
  const none: Tail = { kept: 0, cut: new Map() };
  const tail = existsSync(file) ? tailOf(file, firstStep) : none;
  if (tail.kept > 0) {
    copyFileSync(file, staged);
    truncateSync(staged, tail.kept);
  } else writeFileSync(staged, firstStep > 0 ? beginLine(firstStep, "there was no ledger of the steps before") : "");
  const descriptor = openSync(staged, "r+");
  fsyncSync(descriptor);
  const { size: kept } = fstatSync(descriptor);
  closeSync(descriptor);
  renameSync(staged, file);
  return { ...tail, kept };
}

interface Tail {
  /** Bytes that stay. */
  readonly kept: number;
  readonly cut: Map<number, string>;
}

/** Length of the part that ends with the last readable line of a step before `firstStep`, and what the rest says. */
function tailOf(file: string, firstStep: number): Tail {
  let kept = 0;
  const cut = new Map<number, string>();
  for (const { text, end } of wholeLines(file)) {
    const line = parseJson(text) as { step?: unknown; gradDigest?: unknown } | null | undefined;
    const begin = end === text.length + 1 ? parseBegin(line) : null;
    if (begin && begin.begins <= firstStep) kept = end;
    if (typeof line?.step !== "number") continue; // damage: evidence where lines follow it, torn where none does
    if (line.step >= firstStep) cut.set(line.step, String(line.gradDigest));
    else if (cut.size === 0) kept = end;
  }
  return { kept, cut };
}

/** Steps that the ledger has, from 0 on; null when there is no ledger. */
export function stepsInLedger(file: string): number | null {
  if (!existsSync(file)) return null;
  let steps = 0;
  for (const { text } of wholeLines(file)) {
    const step = stepOfLine(text);
    if (step !== null) steps = step + 1;
    else steps = Math.max(steps, parseBegin(parseJson(text))?.begins ?? 0);
  }
  return steps;
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
