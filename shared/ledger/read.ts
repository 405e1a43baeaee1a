// Reads a ledger a piece at a time: a long run's ledger is larger than a string may be. What follows the last newline
// was torn by a crash and is no line.

import { closeSync, openSync, readSync } from "node:fs";
import { PlumeError } from "../errors.ts";
import { type LedgerBegin, type LedgerLine, ledgerLineSchema, parseBegin } from "./line.ts";

/** One parsed line after another. @throws PlumeError DATA_LOSS naming the line that is no ledger line. */
export function* readLedger(file: string): Generator<LedgerLine> {
  let number = 0;
  for (const { text } of wholeLines(file)) {
    number++;
    if (number === 1 && parseBegin(parseJson(text))) continue;
    const checked = ledgerLineSchema.safeParse(parseJson(text));
    if (!checked.success) {
      const issue = checked.error.issues[0]!;
      throw new PlumeError(
        "DATA_LOSS",
        `${file}:${number} is no ledger line: ${issue.path.join(".") || "JSON"}: ${issue.message}`,
        {
          remedy: "the file was changed or its disk is damaged; what it proved about the run is lost from this line on",
        },
      );
    }
    yield checked.data;
  }
}

/** Where a ledger begins that does not begin at step 0, and why; null for one that does. */
export function readBegin(file: string): LedgerBegin | null {
  for (const { text } of wholeLines(file)) return parseBegin(parseJson(text));
  return null;
}

/** The step of a line; null for what is none. */
export function stepOfLine(text: string): number | null {
  const step = (parseJson(text) as { step?: unknown } | null | undefined)?.step;
  return typeof step === "number" ? step : null;
}

/** Undefined for what is no JSON. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

const PIECE_BYTES = 1 << 20;
const NEWLINE = 0x0a;

/** Complete lines of a file from the start of one on, each with the byte offset after its newline. */
export function* wholeLines(file: string, start = 0): Generator<{ readonly text: string; readonly end: number }> {
  const descriptor = openSync(file, "r");
  try {
    const piece = Buffer.alloc(PIECE_BYTES);
    let begun = Buffer.alloc(0);
    let offset = start;
    const next = () => readSync(descriptor, piece, 0, PIECE_BYTES, offset);
    for (let n = next(); n > 0; n = next()) {
      let from = 0;
      for (let at = piece.indexOf(NEWLINE); at >= 0 && at < n; at = piece.indexOf(NEWLINE, from)) {
        const text = Buffer.concat([begun, piece.subarray(from, at)]).toString("utf8");
        begun = Buffer.alloc(0);
        from = at + 1;
        yield { text, end: offset + from };
      }
      begun = Buffer.concat([begun, piece.subarray(from, n)]);
      offset += n;
    }
  } finally {
    closeSync(descriptor);
  }
}
