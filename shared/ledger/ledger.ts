// The ledger: one line a committed step, saying which samples went into it and who computed them. Append-only while a
// run lives; a resume at step S cuts the lines of steps that will be computed again.

import { closeSync, existsSync, fsyncSync, openSync, readFileSync, renameSync, writeFileSync, writeSync } from "node:fs";
import { z } from "zod";
import { PlumeError } from "../errors.ts";

export const ledgerLineSchema = z.strictObject({
  step: z.int().min(0),
  epoch: z.int().min(0),
  /** Cursor ranges [epoch, from, to) in the order they were used. */
  ranges: z.array(z.tuple([z.int(), z.int(), z.int()])).min(1),
  /** Digest of each micro-batch's sample ids, as its worker reported them, in index order. */
  ids: z.array(z.string().regex(/^[0-9a-f]{8}$/)),
  /** Who computed which micro-batches [lo, hi). */
  blocks: z.array(z.strictObject({ lo: z.int(), hi: z.int(), worker: z.string(), attempt: z.int() })),
  loss: z.number().nullable(),
  gradNorm: z.number().nullable(),
  lr: z.number(),
  /** Digest of the summed gradient. */
  gradDigest: z.string(),
  /** The gradient was not finite and the parameters were left as they were. */
  skipped: z.boolean().optional(),
});

export type LedgerLine = z.infer<typeof ledgerLineSchema>;

export interface LedgerWriter {
  append(line: LedgerLine): void;
  close(): void;
}

/** Opens the ledger to append from `firstStep` on: later lines and a torn last one are dropped, atomically. */
export function openLedger(file: string, firstStep: number): LedgerWriter {
  const kept = existsSync(file) ? wholeLines(readFileSync(file, "utf8")).filter((text) => stepOf(text) < firstStep) : [];
  writeFileSync(`${file}.tmp`, kept.map((text) => `${text}\n`).join(""));
  renameSync(`${file}.tmp`, file);
  let descriptor: number | null = openSync(file, "a");
  return {
    append(line) {
      if (descriptor === null) throw new PlumeError("INTERNAL", "the ledger is closed");
      writeSync(descriptor, `${JSON.stringify(line)}\n`);
    },
    close() {
      if (descriptor === null) return;
      fsyncSync(descriptor);
      closeSync(descriptor);
      descriptor = null;
    },
  };
}

function wholeLines(text: string): string[] {
  const lines = text.split("\n");
  lines.pop(); // what follows the last newline: empty, or torn
  return lines;
}

function stepOf(text: string): number {
  try {
    return (JSON.parse(text) as { step?: number }).step ?? Number.POSITIVE_INFINITY;
  } catch {
    return Number.POSITIVE_INFINITY;
  }
}

/** One parsed line after another. @throws PlumeError DATA_LOSS naming the line that is no ledger line. */
export function* parseLedger(text: string, file: string): Generator<LedgerLine> {
  let number = 0;
  for (const line of wholeLines(text)) {
    number++;
    let parsed: unknown;
    try {
      parsed = JSON.parse(line);
    } catch (error) {
      throw new PlumeError("DATA_LOSS", `${file}:${number} is not JSON: ${(error as Error).message}`);
    }
    const checked = ledgerLineSchema.safeParse(parsed);
    if (!checked.success) {
      const issue = checked.error.issues[0]!;
      throw new PlumeError("DATA_LOSS", `${file}:${number}: ${issue.path.join(".") || "the line"} ${issue.message}`);
    }
    yield checked.data;
  }
}
