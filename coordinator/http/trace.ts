// What all steps of a run left: its measurements and who held which blocks. Of the steps before this process from the run's
// files, read in pieces while training goes on; from then on as they are committed.

import { existsSync } from "node:fs";
import { join } from "node:path";
import { parseJson, wholeLines } from "../../shared/ledger/read.ts";
import type { RunView } from "../onlooker.ts";
import { type BlockMap, createBlockMap, type Held } from "./block-map.ts";
import { createHistory, type History, type Measured } from "./history.ts";

export interface Trace {
  readonly history: History;
  readonly blocks: BlockMap;
  /** Resolve once what the steps before this process left is read. */
  readonly ready: { readonly history: Promise<void>; readonly blocks: Promise<void> };
  close(): void;
}

/** The event loop moves messages: a piece of a file takes it for so long at most. */
const PIECE_MS = 4;

export function openTrace({ folder, bus, log }: Pick<RunView, "folder" | "bus" | "log">): Trace {
  const blocks = createBlockMap();
  const history = createHistory();
  const early: Measured[] = [];
  let isRead = false;
  let closed = false;
  const isClosed = () => closed;
  const file = (name: string) => join(folder, name);

  const unsubscribe = bus.subscribe((event) => {
    if (event.kind !== "step") return;
    const { step, loss, gradNorm, lr, imagesPerSecond, workers } = event;
    blocks.add(step, event.blocks);
    if (isRead) history.add({ step, loss, gradNorm, lr, imagesPerSecond, workers });
    else early.push({ step, loss, gradNorm, lr, imagesPerSecond, workers });
  });

  const readHistory = async () => {
    await eachLine(file("metrics.ndjson"), (line) => isMeasured(line) && history.add(line), isClosed);
    for (const row of early.splice(0)) history.add(row);
    isRead = true;
  };
  const readBlocks = () =>
    eachLine(file("ledger.ndjson"), (line) => isHeld(line) && blocks.add(line.step, line.blocks), isClosed);
  const ofOld = (what: string) => (error: unknown) =>
    log.warn({ err: error }, `the run's earlier ${what} cannot be shown`);
  const measured = readHistory().catch(ofOld("steps"));
  return {
    history,
    blocks,
    ready: { history: measured, blocks: measured.then(readBlocks).catch(ofOld("blocks")) },
    close() {
      closed = true;
      unsubscribe();
    },
  };
}

async function eachLine(file: string, take: (line: unknown) => void, isClosed: () => boolean): Promise<void> {
  if (!existsSync(file)) return;
  let begun = performance.now();
  for (const { text } of wholeLines(file)) {
    take(parseJson(text));
    if (performance.now() - begun < PIECE_MS) continue;
    await new Promise((resolve) => setImmediate(resolve));
    if (isClosed()) return;
    begun = performance.now();
  }
}

const isMeasured = (line: unknown): line is Measured => typeof (line as Partial<Measured> | null)?.step === "number";

const isHeld = (line: unknown): line is { step: number; blocks: Held[] } =>
  Array.isArray((line as { blocks?: unknown } | null)?.blocks);
