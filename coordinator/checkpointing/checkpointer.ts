// Saves of a running job: begun between two steps, copied while the next one's gradients are gathered, written in the
// background. Two of them run: one for the store that the job names, one for snapshots in the run's folder, from which a
// killed coordinator goes on.
//
// I1. A save that fails is tried again, reported, counted, and never stops training: where training or another save waits
//     for one whose store fails, that one is given up.
// I2. Saves are written in the order of their steps; one is on its way and one waits at most.
// I3. What training waits for them is measured, and nothing else of it is.

import type { ExtendLedger } from "../../shared/checkpoint/ledger-chain.ts";
import type { LedgerSegment } from "../../shared/checkpoint/manifest.ts";
import { applyRetention } from "../../shared/checkpoint/retention.ts";
import { writeParts } from "../../shared/checkpoint/write.ts";
import type { Job } from "../../shared/config/schema.ts";
import type { ImageSetCard } from "../../shared/data/image-set.ts";
import type { Reducer } from "../../shared/kernels/reducer.ts";
import type { ObjectStore } from "../../shared/store/object-store.ts";
import type { Buffers } from "./buffers.ts";
import { beginCapture, type Capture } from "./capture.ts";
import { type Attempts, createAttempts } from "./retry.ts";

export interface Checkpointer {
  /** Begins a save of the vectors as they are; resolves at once, or when the one before the last is written. */
  save(step: number, how?: { readonly last?: boolean }): Promise<void>;
  /** Resolves once no save needs the vectors as they are. */
  copied(): Promise<void>;
  /** Resolves when nothing is being written. */
  settled(): Promise<void>;
  /** Something is being written. */
  readonly busy: boolean;
  /** The newest step that is safely written. */
  readonly newest: number | null;
}

interface Written {
  readonly step: number;
  readonly prefix: string;
  readonly bytes: number;
  readonly seconds: number;
  /** That training waited for this save. */
  readonly stallSeconds: number;
}

export interface CheckpointerOptions {
  readonly job: Job;
  readonly set: ImageSetCard;
  readonly store: ObjectStore;
  readonly keep: number;
  readonly keepEvery?: number | undefined;
  readonly reducer: Reducer;
  readonly buffers: Buffers;
  /** What else the run goes on with now, as files by their names. */
  readonly files?: () => Readonly<Record<string, Uint8Array>>;
  readonly now: () => number;
  readonly sleep: (ms: number, signal: AbortSignal) => Promise<void>;
  /** Failures for longer than this fail a save. */
  readonly patienceMs: number;
  /** Who writes. */
  readonly writer: string;
  /** What travels of the ledger, after the chain that the last checkpoint named; absent where nothing does. */
  readonly ledger?: (chain: readonly LedgerSegment[]) => ExtendLedger;
  /** That chain, of the run that is resumed. */
  readonly chain?: readonly LedgerSegment[];
  /** Steps written already by the run that is resumed. */
  readonly newest: number | null;
  readonly onWritten: (written: Written) => void;
  readonly onRetry: (step: number, error: unknown, afterMs: number) => void;
  readonly onFailed: (step: number, error: unknown) => void;
  /** Training waited. `short`: for memory. */
  readonly onStall: (seconds: number, short: boolean) => void;
  /** What is old could not be removed; the save is none the worse. */
  readonly onKept: (error: unknown) => void;
}

interface Save {
  readonly step: number;
  readonly capture: Capture;
  readonly files: Readonly<Record<string, Uint8Array>>;
  readonly attempts: Attempts;
  readonly giveUp: AbortController;
  readonly startedMs: number;
  /** The last one of the run has more patience. */
  last: boolean;
  stallMs: number;
  /** It is being written. */
  readonly begun: Promise<void>;
  readonly onBegun: () => void;
}

const LAST_PATIENCE = 5;

export function createCheckpointer(options: CheckpointerOptions): Checkpointer {
  const { job, set, store, keep, keepEvery, reducer, buffers, now, sleep, patienceMs, writer } = options;
  const { onWritten, onRetry, onFailed, onStall, onKept } = options;
  const head = { job, layout: reducer.layout, set };
  let newest = options.newest;
  let chain = options.chain ?? [];
  let current: Save | null = null;
  let next: Save | null = null;
  let writing: Promise<void> = Promise.resolve();
  /** Somebody waits until `next` is begun. */
  let crowded = false;

  const begin = (step: number, last: boolean): Save => {
    const giveUp = new AbortController();
    let onBegun = () => {};
    const begun = new Promise<void>((resolve) => {
      onBegun = resolve;
    });
    const save: Save = {
      begun,
      onBegun,
      step,
      last,
      giveUp,
      startedMs: now(),
      stallMs: 0,
      capture: beginCapture(reducer, buffers),
      files: options.files?.() ?? {},
      attempts: createAttempts({
        now,
        sleep,
        patienceMs: () => patienceMs * (save.last ? LAST_PATIENCE : 1),
        pressed: () => crowded || buffers.short,
        giveUp: giveUp.signal,
        onRetry: (error, afterMs) => onRetry(step, error, afterMs),
      }),
    };
    return save;
  };

  const write = async (save: Save) => {
    const { step, capture, files, startedMs } = save;
    const { attempt } = save.attempts;
    const { signal } = save.giveUp;
    const ledger = options.ledger?.(chain);
    const content = { ...head, step, files };
    const written = await writeParts(store, content, capture.parts, {
      signal,
      attempt,
      writer,
      ...(ledger && { ledger }),
    });
    newest = step;
    chain = written.ledger;
    const seconds = (now() - startedMs) / 1000;
    onWritten({ step, prefix: written.prefix, bytes: written.bytes, seconds, stallSeconds: save.stallMs / 1000 });
    await applyRetention(store, keep, keepEvery).catch(onKept);
  };

  /** Writes what there is to write, one after another. */
  const writeAll = async () => {
    while (current) {
      const save: Save = current;
      save.onBegun();
      await write(save).catch((error) => onFailed(save.step, error));
      save.capture.cancel();
      current = next;
      next = null;
    }
  };

  /** A store that fails is not waited for. */
  const press = () => {
    if (current?.attempts.failing) current.giveUp.abort();
  };

  const waited = (since: number, save: Save | null, short: boolean) => {
    const ms = now() - since;
    if (save) save.stallMs += ms;
    onStall(ms / 1000, short);
  };

  return {
    get newest() {
      return newest;
    },
    get busy() {
      return current !== null;
    },
    async save(step, { last = false } = {}) {
      const same = [current, next].find((save) => save?.step === step);
      if (same) same.last ||= last;
      if (same || (newest === step && !current)) return;
      const started = now();
      press();
      while (next) {
        crowded = true;
        press();
        await next.begun;
      }
      crowded = false;
      const save = begin(step, last);
      waited(started, save, false);
      if (current) next = save;
      else {
        current = save;
        writing = writeAll();
      }
    },
    async copied() {
      const newestSave = next ?? current;
      if (!newestSave) return;
      const started = now();
      const { waits } = buffers;
      if (buffers.short) press();
      await Promise.all([current?.capture.copied(), next?.capture.copied()]);
      waited(started, newestSave, buffers.waits > waits || buffers.short);
    },
    settled: () => writing,
  };
}
