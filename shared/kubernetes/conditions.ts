// The conditions of a DiffusionJob: what each type means, and how one changes. Pure.

export const CONDITIONS = {
  CoordinatorReady: "the coordinator answers",
  WorkersReady: "at least workers.min workers are ready",
  Progressing: "steps are being committed, or will be without anybody's help",
  Scaling: "the number of workers is on its way to workers.replicas",
  Suspended: "the checkpoint is durable and everything is given back",
  Invalid: "the job file has a mistake; nothing of it runs",
  Complete: "all steps are done and their checkpoint is written",
  Failed: "it has ended and will not go on by itself",
} as const;

export type ConditionType = keyof typeof CONDITIONS;

/** metav1.Condition. */
export interface Condition {
  readonly type: ConditionType;
  readonly status: "True" | "False" | "Unknown";
  /** One word. */
  readonly reason: string;
  /** For a person. */
  readonly message: string;
  readonly observedGeneration: number;
  /** RFC 3339. */
  readonly lastTransitionTime: string;
}

/** A condition before it knows when it became so. */
export interface Verdict {
  readonly holds: boolean;
  readonly reason: string;
  readonly message: string;
}

/** The conditions as they are now: a time changes only with its status. In the order of the table. */
export function nextConditions(
  nowMs: number,
  generation: number,
  before: readonly Condition[],
  verdicts: Readonly<Record<ConditionType, Verdict>>,
): Condition[] {
  return (Object.keys(CONDITIONS) as ConditionType[]).map((type) => {
    const { holds, reason, message } = verdicts[type];
    const status = holds ? "True" : "False";
    const old = before.find((each) => each.type === type);
    const lastTransitionTime =
      old?.status === status ? old.lastTransitionTime : new Date(nowMs).toISOString().replace(/\.\d+Z$/, "Z");
    return { type, status, reason, message, observedGeneration: generation, lastTransitionTime };
  });
}

export const conditionOf = (all: readonly Condition[] | undefined, type: ConditionType): Condition | undefined =>
  all?.find((each) => each.type === type);

export const holds = (all: readonly Condition[] | undefined, type: ConditionType): boolean =>
  conditionOf(all, type)?.status === "True";
