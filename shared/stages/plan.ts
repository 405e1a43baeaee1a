// What becomes of each stage next, from the file and from what its run says. Pure: who trains, and where, is another's affair.
//
// I1. A stage that is done is not trained again; one that was interrupted goes on.
// I2. A stage that was begun keeps its job and the weights that it takes: with others it is stale, and waits for a word.
// I3. A stage begins when every stage that it takes weights of is done. A base is none of those.

import { prefixOf } from "../checkpoint/manifest.ts";
import { differences } from "../config/identity.ts";
import type { FrozenName } from "../config/models.ts";
import type { Job, JobSpec } from "../config/schema.ts";
import { jobWith } from "./load.ts";
import { type Edge, edgesOf, type Pipeline, type Stage, weightsKey } from "./schema.ts";

/** What a stage's run says of it. */
export interface StageFacts {
  /** The job that it was begun with, models by their sha256; null where none was. */
  readonly begun: JobSpec | null;
  /** Steps of a run that has ended well and whose last checkpoint is in its store; null else. */
  readonly steps: number | null;
  /** Where its checkpoints are. */
  readonly store: string;
  /** sha256 of its weights by `weightsKey`, of those that some edge takes and that are there. */
  readonly sha256: Readonly<Record<string, string>>;
}

export type StageState = { readonly stage: Stage } & (
  | { readonly kind: "done" }
  /** May be trained now. `over` says that what is there must go first. */
  | { readonly kind: "ready"; readonly job: Job; readonly over: boolean }
  /** What it was trained with is not what it would be trained with; one line a difference. */
  | { readonly kind: "stale"; readonly reasons: readonly string[] }
  /** Stages that have to be done first. */
  | { readonly kind: "blocked"; readonly by: readonly string[] }
);

/**
 * In the pipeline's order. @param facts of every stage, by its name. @param mayRetrain stages that may be trained anew where they are
 * stale.
 */
export function plan(
  { stages }: Pipeline,
  facts: ReadonlyMap<string, StageFacts>,
  mayRetrain: ReadonlySet<string> = new Set(),
): readonly StageState[] {
  const states = new Map<string, StageState>();
  for (const stage of stages) {
    const by = [...new Set(edgesOf(stage).map(([, edge]) => edge.stage))].filter(
      (name) => states.get(name)!.kind !== "done",
    );
    states.set(stage.name, decide(stage, facts, by, mayRetrain.has(stage.name)));
  }
  return [...states.values()];
}

function decide(
  stage: Stage,
  facts: ReadonlyMap<string, StageFacts>,
  by: readonly string[],
  mayRetrain: boolean,
): StageState {
  const { begun, steps } = facts.get(stage.name)!;
  const sourceOf = (field: FrozenName) => sourceIn(facts, stage.models[field]!);
  const isBlocked = by.length > 0;
  // Of a stage that is not done the weights are not known: what was taken of it is not held against anything yet.
  const job = jobWith(stage, (field) => (isBlocked ? sameAs(begun, field) : sourceOf(field)));
  const reasons = begun === null ? [] : reasonsOf(stage, begun, job.spec);
  if (reasons.length > 0 && !mayRetrain) return { stage, kind: "stale", reasons };
  if (isBlocked) return { stage, kind: "blocked", by };
  const isDone = steps !== null && steps >= stage.job.spec.training.steps && reasons.length === 0;
  if (isDone && edgesOf(stage).every(([field]) => sameAs(begun, field).sha256 === sourceOf(field).sha256))
    return { stage, kind: "done" };
  return { stage, kind: "ready", job, over: reasons.length > 0 };
}

/** Where an edge leads, and what is there. */
function sourceIn(facts: ReadonlyMap<string, StageFacts>, edge: Edge) {
  const { store, sha256 } = facts.get(edge.stage)!;
  return { from: checkpointIn(store, edge), sha256: sha256[weightsKey(edge)] };
}

/** A store, or one step in it. */
export const checkpointIn = (store: string, { step }: Pick<Edge, "step">): string =>
  step === undefined ? store : `${store}/${prefixOf(step).slice(0, -1)}`;

const sameAs = (begun: JobSpec | null, field: FrozenName) => ({
  from: "",
  sha256: begun?.models[field]?.sha256,
});

/** In words: what is trained with others, and what the job says otherwise. */
function reasonsOf({ models }: Stage, begun: JobSpec, spec: JobSpec): readonly string[] {
  return differences(begun, spec).map(({ path, was, is }) => {
    const [group, field] = path.split(".") as [string, FrozenName];
    const edge = group === "models" ? models[field] : undefined;
    if (edge && path.endsWith(".sha256"))
      return `the weights of stage ${edge.stage} (${path}) are ${short(is)}, it was trained with ${short(was)}`;
    return `its job has another ${path}: it was ${shown(was)}, is ${shown(is)}`;
  });
}

const shown = (value: unknown): string => (value === undefined ? "not set" : JSON.stringify(value));
const short = (sha256: unknown): string => (typeof sha256 === "string" ? `${sha256.slice(0, 12)}...` : "not there");
