// How the conditions of a DiffusionJob change (metav1.Condition). Pure.

import type { CONDITION_TYPES, Condition } from "../crd/status.ts";

export type { Condition };
export type ConditionType = (typeof CONDITION_TYPES)[number];

/** A condition before it knows when it became so. */
export interface Verdict {
  readonly holds: boolean;
  readonly reason: string;
  readonly message: string;
}

/** The conditions as they are now: a time changes only with its status. In the order of their types. */
export function nextConditions<Type extends string>(
  types: readonly Type[],
  nowMs: number,
  generation: number,
  before: readonly Condition[],
  verdicts: Readonly<Record<Type, Verdict>>,
): Condition[] {
  return types.map((type) => {
    const { holds, reason, message } = verdicts[type];
    const status = holds ? "True" : "False";
    const old = before.find((each) => each.type === type);
    const lastTransitionTime = old?.status === status ? old.lastTransitionTime : timeText(nowMs);
    return { type, status, reason, message, observedGeneration: generation, lastTransitionTime };
  });
}

export const conditionOf = (all: readonly Condition[] | undefined, type: string): Condition | undefined =>
  all?.find((each) => each.type === type);

export const holds = (all: readonly Condition[] | undefined, type: string): boolean =>
  conditionOf(all, type)?.status === "True";

/** metav1.Time: whole seconds. */
export const timeText = (ms: number): string => new Date(ms).toISOString().replace(/\.\d+Z$/, "Z");
