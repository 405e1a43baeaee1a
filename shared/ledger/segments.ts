// Pieces of a ledger that is being written: whole lines by step, as they are on the disk.

import { open } from "node:fs/promises";
import { setImmediate } from "node:timers/promises";
import { stepOfLine, wholeLines } from "./read.ts";

interface LedgerPiece {
  /** The first step that it has; later than asked for where the ledger begins later. */
  readonly from: number;
  readonly to: number;
  readonly bytes: Uint8Array;
}

/** Lines of steps from `from`, before `to`, up to so many bytes and one at least; null when there is none. */
export type LedgerLines = (from: number, to: number, mostBytes: number) => Promise<LedgerPiece | null>;

/** Where the line of a step begins, in bytes. */
interface Place {
  readonly step: number;
  readonly offset: number;
}

/** Lines between which the event loop turns. */
const TURN = 1_000;

/** Remembers where it was: the next piece begins most often where the last one ended. @param near a place to begin at. */
export function openLedgerLines(file: string, near: Place): LedgerLines {
  return async (from, to, mostBytes) => {
    let first: Place | null = null;
    let end: Place = { step: from, offset: 0 };
    const start = near.step <= from ? near.offset : 0;
    let offset = start;
    let read = 0;
    for (const line of wholeLines(file, start)) {
      if (++read % TURN === 0) await setImmediate();
      const step = stepOfLine(line.text);
      if (step !== null && step >= to) break;
      if (step !== null && step >= from) {
        if (first && line.end - first.offset > mostBytes) break;
        first ??= { step, offset };
        end = { step: step + 1, offset: line.end };
      }
      offset = line.end;
    }
    if (!first) return null;
    near = end;
    return { from: first.step, to: end.step, bytes: await bytesOf(file, first.offset, end.offset) };
  };
}

async function bytesOf(file: string, start: number, end: number): Promise<Uint8Array> {
  const handle = await open(file, "r");
  try {
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(end - start), 0, end - start, start);
    return buffer.subarray(0, bytesRead);
  } finally {
    await handle.close();
  }
}
