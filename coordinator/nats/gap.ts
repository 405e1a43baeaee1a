// What a stream lacks of a run's events. Pure.

import type { StampedEvent } from "../../shared/bus/event-log.ts";

export interface Gap {
  readonly kind: "none" | "missing";
  /** Events that are in the run's folder alone. */
  readonly events: number;
  /** There are more: how many an earlier incarnation had is not known. */
  readonly atLeast: boolean;
  readonly reason: string;
}

/** @param last the id of the newest in the stream, null for none of this run. @param next what follows in memory. */
export function decideGap(last: string | null, next: StampedEvent): Gap {
  const to = parse(next.id);
  const from = last === null ? { incarnation: 1, number: 0 } : parse(last);
  const same = from.incarnation === to.incarnation;
  const events = same ? to.number - from.number - 1 : to.number - 1;
  if (events <= 0)
    return { kind: "none", events: 0, atLeast: false, reason: `${next.id} follows ${last ?? "nothing"}` };
  return {
    kind: "missing",
    events,
    atLeast: !same,
    reason: `${next.id} is the oldest in memory, the stream ends with ${last ?? "none of this run"}`,
  };
}

/** Ids grow: the incarnation, then a number in it. */
export function isLater(id: string, than: string): boolean {
  const [a, b] = [parse(id), parse(than)];
  return a.incarnation > b.incarnation || (a.incarnation === b.incarnation && a.number > b.number);
}

function parse(id: string): { readonly incarnation: number; readonly number: number } {
  const [incarnation = 0, number = 0] = id.split("-").map(Number);
  return { incarnation, number };
}
