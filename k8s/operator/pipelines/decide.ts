// What to do about a pipeline now: jobs to apply, a status, events. Pure.

import { createHash } from "node:crypto";
import type { JobSpec } from "../../../shared/config/schema.ts";
import { describeError } from "../../../shared/errors.ts";
import { plan, type StageFacts, type StageState } from "../../../shared/stages/plan.ts";
import { edgesOf, type Pipeline, type Stage } from "../../../shared/stages/schema.ts";
import { GROUP, jobOf, KIND, VERSION } from "../../crd/object.ts";
import { type DiffusionPipelineObject, pipelineOf } from "../../crd/pipeline-object.ts";
import type { DiffusionPipelineStatus } from "../../crd/pipeline-status.ts";
import { holds } from "../conditions.ts";
import { type DiffusionJob, isOwnedBy, ownerOf } from "../job.ts";
import type { KubernetesObject } from "../objects.ts";
import type { JobEvent } from "../observed.ts";
import { isSameStatus } from "../status.ts";
import { eventsOf, statusOf } from "./verdicts.ts";

export type DiffusionPipeline = DiffusionPipelineObject & KubernetesObject;

export interface Observed {
  readonly pipeline: DiffusionPipeline;
  /** By name: those of the namespace that stages would be called by, whoever's they are. */
  readonly jobs: ReadonlyMap<string, DiffusionJob>;
  /** An apply that the API server refused, and will again. */
  readonly refused: string | null;
}

/** What is known of the stages, or why nothing is. */
export type Reading =
  | { readonly kind: "valid"; readonly states: readonly StageState[]; readonly strangers: readonly string[] }
  | { readonly kind: "invalid"; readonly message: string };

interface Decision {
  readonly applies: readonly KubernetesObject[];
  /** To be written; null when it is as it was. */
  readonly status: DiffusionPipelineStatus | null;
  readonly events: readonly JobEvent[];
}

/** Which part of a pipeline a job was made of. */
export const STAGE_HASH = `${GROUP}/stage-hash`;

export function decide(nowMs: number, observed: Observed): Decision {
  const { pipeline, jobs } = observed;
  const reading = read(observed);
  const applies = reading.kind === "valid" && reading.strangers.length === 0 ? appliesOf(reading.states, observed) : [];
  const status = statusOf(nowMs, reading, observed);
  const begun = applies
    .filter(({ metadata }) => !jobs.has(metadata.name))
    .map(({ metadata }) => ({ type: "Normal", reason: "StageBegun", message: `job ${metadata.name}` }) as const);
  return {
    applies,
    status: isSameStatus(pipeline.status, status) ? null : status,
    events: [...begun, ...eventsOf(pipeline.status, status)],
  };
}

/** Names of the jobs of a pipeline's stages, as far as they can be read. */
export const jobNames = ({ metadata, spec }: DiffusionPipeline): readonly string[] =>
  spec.stages.map(({ name }) => `${metadata.name}-${name}`);

function read({ pipeline, jobs }: Observed): Reading {
  try {
    const checked = pipelineOf(pipeline);
    const owned = (stage: Stage) => {
      const job = jobs.get(stage.job.metadata.name);
      return job && isOwnedBy(job, pipeline.metadata.uid) ? job : undefined;
    };
    const facts = new Map(checked.stages.map((stage) => [stage.name, factsOf(stage, owned(stage))]));
    return { kind: "valid", states: plan(checked, facts), strangers: strangersOf(checked, jobs, owned) };
  } catch (error) {
    return { kind: "invalid", message: describeError(error) };
  }
}

const strangersOf = (
  { stages }: Pipeline,
  jobs: Observed["jobs"],
  owned: (stage: Stage) => DiffusionJob | undefined,
): readonly string[] =>
  stages.filter((stage) => jobs.has(stage.job.metadata.name) && !owned(stage)).map(({ job }) => job.metadata.name);

function factsOf({ job: { spec } }: Stage, job: DiffusionJob | undefined): StageFacts {
  const store = spec.checkpoint.store ?? "";
  const isComplete = holds(job?.status?.conditions, "Complete");
  const { step, weightsSha256, emaSha256 } = job?.status ?? {};
  const sha256 = { ...(weightsSha256 && { raw: weightsSha256 }), ...(emaSha256 && { ema: emaSha256 }) };
  if (!job || !isComplete || step === undefined)
    return { begun: job ? begunBy(job, spec) : null, steps: null, store, sha256: {} };
  return { begun: begunBy(job, spec), steps: step, store, sha256 };
}

/** The job that it was begun with; one that this operator cannot read is as it should be, and says so itself. */
function begunBy(job: DiffusionJob, spec: JobSpec): JobSpec {
  try {
    return jobOf(job).spec;
  } catch {
    return spec;
  }
}

function appliesOf(states: readonly StageState[], { pipeline, jobs }: Observed): KubernetesObject[] {
  return states.flatMap((state) => {
    if (state.kind !== "ready") return [];
    const wanted = jobObject(state, pipeline);
    const there = jobs.get(wanted.metadata.name);
    if (there?.metadata.deletionTimestamp) return []; // on its way out; the next pass makes it anew
    return there?.metadata.annotations?.[STAGE_HASH] === wanted.metadata.annotations?.[STAGE_HASH] ? [] : [wanted];
  });
}

/** As the user wrote it, with a checkpoint in every field that an edge fills. */
function jobObject({ stage, job }: StageState & { readonly kind: "ready" }, pipeline: DiffusionPipeline) {
  const { namespace } = pipeline.metadata;
  const written = pipeline.spec.stages.find(({ name }) => name === stage.name)!.spec ?? {};
  const filled = Object.fromEntries(edgesOf(stage).map(([field]) => [field, job.spec.models[field]]));
  const models = { ...(written.models as object | undefined), ...filled };
  const spec = { ...written, ...(Object.keys(models).length > 0 && { models }) };
  const hash = createHash("sha256").update(JSON.stringify(spec)).digest("hex").slice(0, 16);
  return {
    apiVersion: `${GROUP}/${VERSION}`,
    kind: KIND,
    metadata: {
      name: job.metadata.name,
      ...(namespace !== undefined && { namespace }),
      annotations: { [STAGE_HASH]: hash },
      ownerReferences: [ownerOf(pipeline)],
    },
    spec,
  };
}
