// At which step something happened: events have a time, curves have steps.

import type { StampedEvent } from "../bus/event-log.ts";
import type { Mark } from "./chart.ts";
import type { RunRecord } from "./read-run.ts";

/** The step that was in progress at a time, from the steps' own times and from events that name a step. */
function stepClock({ steps, events }: Pick<RunRecord, "steps" | "events">): (atMs: number) => number {
  const anchors = [
    ...steps.flatMap(({ step, atMs }) => (atMs === undefined ? [] : [{ atMs, step: step + 1 }])),
    ...events.flatMap((stamped) => anchorOf(stamped)),
  ].sort((a, b) => a.atMs - b.atMs);
  return (atMs) => {
    let [low, high] = [0, anchors.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (anchors[middle]!.atMs <= atMs) low = middle + 1;
      else high = middle;
    }
    return anchors[low - 1]?.step ?? anchors[0]?.step ?? 0;
  };
}

function anchorOf({ atMs, event }: StampedEvent): { atMs: number; step: number }[] {
  if (event.kind === "phase") return [{ atMs, step: event.step }];
  if (event.kind === "recovered") return [{ atMs, step: event.recovery.step + 1 }];
  return [];
}

/** What changed who computes: joins and losses, scale, restarts of the coordinator. */
export function marksOf(run: Pick<RunRecord, "steps" | "events">): Mark[] {
  const at = stepClock(run);
  const marks: Mark[] = [];
  let incarnation: string | null = null;
  /** It has said that it is over: workers leave because of that. */
  let isOver = false;
  for (const { id, atMs, event } of run.events) {
    const step = at(atMs);
    const mine = id.split("-")[0]!;
    if (incarnation !== null && mine !== incarnation && isOver)
      marks.push({ x: step, label: `step ${step}: gone on with, incarnation ${mine}`, tone: "good" });
    else if (incarnation !== null && mine !== incarnation)
      marks.push({ x: step, label: `step ${step}: coordinator, incarnation ${mine}`, tone: "bad" });
    if (mine !== incarnation) isOver = false;
    incarnation = mine;
    if (event.kind === "end") isOver = true;
    if (isOver) continue;
    if (event.kind === "scale")
      marks.push({
        x: step,
        label: `step ${step}: scaled from ${event.before} to ${event.replicas} workers`,
        tone: "good",
      });
    if (event.kind !== "worker") continue;
    const label = `step ${step}: ${event.workerId} ${event.change}: ${event.reason}`;
    if (event.change === "joined") marks.push({ x: step, label, tone: "good" });
    else if (event.change === "lost" || event.change === "expelled") marks.push({ x: step, label, tone: "bad" });
    else if (event.change === "left") marks.push({ x: step, label, tone: "warn" });
  }
  return marks;
}
