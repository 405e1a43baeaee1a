// When each worker was there, from the kept events alone. Pure.
//
// A coordinator that is killed says nothing of it: its workers are there until the failure that the next one's recovery
// names, or until the next one's first event where it names none.

import type { StampedEvent } from "../../shared/bus/event-log.ts";
import type { Phase } from "../../shared/bus/events.ts";

export interface Span {
  readonly fromMs: number;
  /** null: still. */
  readonly toMs: number | null;
  readonly state: "in" | "suspect";
  /** How it ended: one of the changes, or that the coordinator was lost, or the run over. */
  readonly end: "left" | "lost" | "expelled" | "restart" | "over" | null;
  readonly reason: string;
}

interface PhaseSpan {
  readonly phase: Phase;
  readonly fromMs: number;
  readonly toMs: number | null;
  readonly reason: string;
}

interface Mark {
  readonly atMs: number;
  readonly words: string;
}

export interface Lanes {
  readonly workers: ReadonlyMap<string, readonly Span[]>;
  readonly phases: readonly PhaseSpan[];
  /** Scales, checkpoints and recoveries. */
  readonly marks: readonly Mark[];
  /** Of the newest stretch without an end of the run in between. */
  readonly fromMs: number | null;
}

/** The incarnation in an event's id. */
export const lifeOf = (id: string): string => id.slice(0, id.indexOf("-"));

type Open = { -readonly [K in keyof Span]: Span[K] };

export function lanesOf(events: readonly StampedEvent[]): Lanes {
  const workers = new Map<string, Open[]>();
  const phases: { -readonly [K in keyof PhaseSpan]: PhaseSpan[K] }[] = [];
  const marks: Mark[] = [];
  let incarnation = "";
  let fromMs: number | null = null;
  let isOver = false;
  /** Closed by the guess that they lasted until the next coordinator's first event. */
  let guessed: Open[] = [];

  const opened = () => [...workers.values()].flatMap((spans) => spans.filter(({ toMs }) => toMs === null));
  const close = (spans: readonly Open[], toMs: number, end: Span["end"]) => {
    for (const span of spans) Object.assign(span, { toMs, end });
  };
  const closePhase = (atMs: number) => {
    const last = phases.at(-1);
    if (last && last.toMs === null) last.toMs = atMs;
  };

  for (const { id, atMs, event } of events) {
    const life = lifeOf(id);
    const isNewLife = life !== incarnation;
    if (isNewLife) {
      guessed = opened();
      close(guessed, atMs, "restart");
      closePhase(atMs);
      incarnation = life;
    }
    if (fromMs === null || (isOver && isNewLife)) fromMs = atMs;
    if (isNewLife) isOver = false;
    switch (event.kind) {
      case "worker": {
        const spans = workers.get(event.workerId) ?? [];
        workers.set(event.workerId, spans);
        const last = spans.at(-1);
        const present = last?.toMs === null ? last : null;
        const begin = (state: Span["state"]) =>
          spans.push({ fromMs: atMs, toMs: null, state, end: null, reason: event.reason });
        const { change } = event;
        if (change === "joined") {
          if (present) close([present], atMs, "lost");
          begin("in");
        } else if (change === "suspect" || change === "well") {
          if (!present) break;
          close([present], atMs, null);
          begin(change === "suspect" ? "suspect" : "in");
        } else if (change !== "refused" && present) {
          close([present], atMs, change);
          present.reason = event.reason;
        }
        break;
      }
      case "phase":
        closePhase(atMs);
        phases.push({ phase: event.phase, fromMs: atMs, toMs: null, reason: event.reason });
        break;
      case "recovered":
        marks.push({ atMs, words: `recovered from the loss of ${event.recovery.subject}` });
        if (event.recovery.kind === "coordinator") {
          for (const span of guessed) span.toMs = Math.max(span.fromMs, event.recovery.atMs);
          guessed = [];
        }
        break;
      case "scale":
        marks.push({ atMs, words: `scaled from ${event.before} to ${event.replicas}` });
        break;
      case "checkpoint":
        marks.push({ atMs, words: `checkpoint of step ${event.step}` });
        break;
      case "end":
        close(opened(), atMs, "over");
        closePhase(atMs);
        isOver = true;
        break;
      default: // pictures, commands and warnings have their own places
    }
  }
  return { workers, phases, marks, fromMs };
}
