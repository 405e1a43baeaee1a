// May the number of workers become this? Pure: the answer with its reason.

import { isOver, type Phase } from "../../shared/bus/events.ts";

export interface ScaleState {
  readonly phase: Phase;
  readonly desired: number;
  readonly min: number;
  readonly max: number;
  /** Processes that come and go together. */
  readonly perPod: number;
  /** Somebody starts and stops worker processes for this run. */
  readonly supervised: boolean;
}

export type ScaleDecision =
  | { readonly kind: "scale" | "unchanged"; readonly reason: string }
  | { readonly kind: "refuse"; readonly reason: string; readonly remedy: string };

export function decideScale(
  replicas: number,
  { phase, desired, min, max, perPod, supervised }: ScaleState,
): ScaleDecision {
  const refuse = (reason: string, remedy: string) => ({ kind: "refuse", reason, remedy }) as const;
  if (isOver(phase)) return refuse(`the run is over (${phase})`, "start it again: it resumes");
  if (!supervised)
    return refuse(
      "nobody supervises the worker processes of this run",
      "start or stop workers where they were started",
    );
  if (phase === "Paused") return refuse("the run is paused", "resume it first: plume ctl resume");
  const bounds = `workers.min is ${min} and workers.max is ${max}`;
  if (replicas < min) return refuse(`${replicas} workers are too few: ${bounds}`, `choose ${min} to ${max}`);
  if (replicas > max) return refuse(`${replicas} workers are too many: ${bounds}`, `choose ${min} to ${max}`);
  if (replicas % perPod !== 0)
    return refuse(`${replicas} workers do not fill pods of ${perPod}`, "choose a multiple of workers.perPod");
  if (replicas === desired) return { kind: "unchanged", reason: `${desired} workers are asked for already` };
  return { kind: "scale", reason: `asked to go from ${desired} to ${replicas} workers` };
}
