// The events of a run that are kept: stamped, written to one file that outlives the process, and replayed to whoever comes
// late. Page, NATS, `plume ctl events` and the report all read this one order.
//
// I1. Ids never repeat and their order is the file's: the incarnation, then a number in it.
// I2. A subscriber hears of an event after it is kept; together with `after` nothing is missed and nothing comes twice.
// I3. A full disk costs the file its lines, never the run or the subscribers.

import { appendFileSync, existsSync } from "node:fs";
import { readNdjson } from "../ndjson.ts";
import type { Bus } from "./bus.ts";
import type { RunEvent } from "./events.ts";

/** Measurements are not kept here: steps have metrics.ndjson, and a status is only ever the newest. */
type KeptEvent = Exclude<RunEvent, { readonly kind: "status" | "step" }>;

export interface StampedEvent {
  /** `<incarnation>-<number>`. */
  readonly id: string;
  /** Milliseconds since the epoch. */
  readonly atMs: number;
  readonly event: KeptEvent;
}

export interface EventLog {
  /** When the first of all was, in milliseconds since the epoch: it tells this run from others of its job. Null before it. */
  readonly beganMs: number | null;
  /** The kept events after this one, oldest first: all that are remembered when it is null or unknown. */
  after(id: string | null): readonly StampedEvent[];
  /** @returns the function that ends the subscription. */
  subscribe(listener: (event: StampedEvent) => void): () => void;
}

export interface EventLogOptions {
  readonly file: string;
  readonly incarnation: number;
  readonly bus: Bus;
  readonly epochMs: () => number;
  readonly onListenerError: (error: unknown) => void;
}

/** The newest are remembered; the file has them all. */
const REMEMBERED = 10_000;

export function openEventLog({ file, incarnation, bus, epochMs, onListenerError }: EventLogOptions): EventLog {
  const before = readEvents(file);
  const remembered = before.slice(-REMEMBERED);
  let beganMs = before[0]?.atMs ?? null;
  /** A line that a crash has torn must not swallow the next one. */
  let separator = existsSync(file) ? "\n" : "";
  const listeners = new Set<(event: StampedEvent) => void>();
  let count = 0;

  const keep = (event: KeptEvent) => {
    const stamped = { id: `${incarnation}-${++count}`, atMs: epochMs(), event };
    beganMs ??= stamped.atMs;
    try {
      appendFileSync(file, `${separator}${JSON.stringify(stamped)}\n`);
      separator = "";
    } catch {
      // I3
    }
    remembered.push(stamped);
    if (remembered.length > REMEMBERED) remembered.shift();
    for (const listener of [...listeners]) {
      try {
        listener(stamped);
      } catch (error) {
        listeners.delete(listener);
        onListenerError(error);
      }
    }
  };
  bus.subscribe((event) => {
    if (event.kind !== "status" && event.kind !== "step") keep(event);
  });

  return {
    get beganMs() {
      return beganMs;
    },
    // From the end: who follows asks for the newest.
    after: (id) => remembered.slice(remembered.findLastIndex((each) => each.id === id) + 1),
    subscribe(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
  };
}

/** Events of a run's folder, oldest first; a line torn by a crash is passed over. */
export const readEvents = (file: string): StampedEvent[] => readNdjson<StampedEvent>(file);
