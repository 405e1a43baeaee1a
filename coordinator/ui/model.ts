// What the page knows, and how messages change it. Holds no element: panels draw from it.

import type { StampedEvent } from "../../shared/bus/event-log.ts";
import type { RunStatus } from "../../shared/bus/events.ts";
import type { BlocksAnswer, Column, HistoryAnswer, RunAnswer, SampleAnswer, StepEvent } from "../http/api.ts";
import type { LinkState } from "./connection.ts";
import { lifeOf } from "./lanes.ts";
import type { Range } from "./range.ts";

export interface Model {
  link: LinkState;
  run: RunAnswer | null;
  status: RunStatus | null;
  /** Kept events, oldest first, each once. */
  readonly events: StampedEvent[];
  readonly seen: Set<string>;
  history: HistoryAnswer | null;
  /** Steps that were committed since. */
  tail: StepEvent[];
  range: Range;
  stride: number;
  workers: string[];
  columns: Column[];
  samples: readonly SampleAnswer[];
  /** The last event of a run that is over. */
  ended: Extract<StampedEvent["event"], { kind: "end" }> | null;
  /** The incarnation that it ended in. */
  endedLife: string;
}

/** What may have changed since it was drawn. */
export type Topic = "link" | "run" | "status" | "events" | "steps" | "blocks" | "samples" | "theme" | "time";

const MOST_EVENTS = 20_000;

export const emptyModel = (): Model => ({
  link: { kind: "connecting" },
  run: null,
  status: null,
  events: [],
  seen: new Set(),
  history: null,
  tail: [],
  range: { kind: "all" },
  stride: 1,
  workers: [],
  columns: [],
  samples: [],
  ended: null,
  endedLife: "",
});

/** @returns false when it was known. */
export function takeEvent(model: Model, stamped: StampedEvent): boolean {
  if (model.seen.has(stamped.id)) return false;
  // Workers whose streams close say so after the end: nothing is lost with them any more.
  if (model.ended && stamped.event.kind === "worker" && lifeOf(stamped.id) === model.endedLife) return false;
  model.seen.add(stamped.id);
  model.events.push(stamped);
  if (model.events.length > MOST_EVENTS) model.seen.delete(model.events.shift()!.id);
  if (stamped.event.kind === "end") [model.ended, model.endedLife] = [stamped.event, lifeOf(stamped.id)];
  else if (lifeOf(stamped.id) !== model.endedLife) model.ended = null;
  return true;
}

export function takeSteps(model: Model, steps: readonly StepEvent[]): void {
  for (const event of steps) {
    const last = model.tail.at(-1)?.step ?? model.history?.last ?? -1;
    if (event.step <= last) continue; // it came with the history
    model.tail.push(event);
    if (event.step <= (model.columns.at(-1)?.[0] ?? -1)) continue;
    model.columns.push([event.step, event.blocks.flatMap(({ lo, hi, worker }) => [lo, hi, placeOf(model, worker)])]);
  }
}

/** A connection that is new: a coordinator that was killed computes its last steps again. */
export function beginAnew(model: Model): void {
  model.tail = [];
}

export function takeHistory(model: Model, history: HistoryAnswer): void {
  model.history = history;
  model.tail = model.tail.filter(({ step }) => step > (history.last ?? -1));
}

export function takeBlocks(model: Model, { stride, workers, columns }: BlocksAnswer): void {
  model.stride = stride;
  model.workers = [...workers];
  model.columns = [...columns];
}

export const lastStep = ({ tail, history }: Model): number => tail.at(-1)?.step ?? history?.last ?? 0;

function placeOf(model: Model, worker: string): number {
  const place = model.workers.indexOf(worker);
  return place >= 0 ? place : model.workers.push(worker) - 1;
}
