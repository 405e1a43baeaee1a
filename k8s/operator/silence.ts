// A coordinator whose process runs and which does not answer: does it start, as every one does for a while, or is something the
// matter? Pure.
//
// I1. A start is no fault: nobody is warned of one that takes its time.

import { conditionOf } from "./conditions.ts";
import type { DiffusionJob } from "./job.ts";
import type { Pod } from "./objects.ts";
import { isReady } from "./trouble.ts";

type Silence =
  | { readonly kind: "starting"; readonly reason: string }
  | { readonly kind: "unreachable"; readonly reason: string };

/** It restores a checkpoint of any size; after so long somebody should look. */
const PATIENCE_MS = 600_000;

/** @param why what the question came back with. */
export function decideSilence(nowMs: number, job: DiffusionJob, pods: readonly Pod[], why: string): Silence {
  const pod = pods.find((each) => startOf(each) !== null);
  const startedMs = (pod && startOf(pod)) ?? nowMs;
  if (pod && isReady(pod)) return { kind: "unreachable", reason: `its pod is ready, but ${why}` };
  const before = conditionOf(job.status?.conditions, "CoordinatorReady");
  const answered = before?.status === "True" || before?.reason === "Unreachable";
  if (before && answered && Date.parse(before.lastTransitionTime) >= startedMs)
    return { kind: "unreachable", reason: why };
  if (nowMs - startedMs >= PATIENCE_MS)
    return { kind: "unreachable", reason: `it was started more than ${PATIENCE_MS / 60_000} minutes ago, and ${why}` };
  return { kind: "starting", reason: "its process starts, or restores a checkpoint" };
}

/** When the container that runs now was started; null where none does. */
function startOf({ status }: Pod): number | null {
  const running = status?.containerStatuses?.map(({ state }) => state?.running).find((each) => each !== undefined);
  return running ? Date.parse(running.startedAt ?? "") || 0 : null;
}
