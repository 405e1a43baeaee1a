// From a pipeline file to its stages: each job whole and checked by its own rules, edges between stages that are there, in an order in
// which each comes after what it takes. Every mistake is one line with the stage, the field, its value and what would be right.

import { dirname, resolve } from "node:path";
import { stringify } from "yaml";
import { fieldNames } from "../config/fields.ts";
import { checkJob, readMapping } from "../config/load.ts";
import { suggestion } from "../config/messages.ts";
import { FROZEN_NAMES, type FrozenName } from "../config/models.ts";
import { applyOverride, JOB_ROOTS } from "../config/override.ts";
import { PlumeError } from "../errors.ts";
import { edgeFaults } from "./edges.ts";
import { inOrder, namedBy } from "./order.ts";
import {
  baseSchema,
  edgeSchema,
  edgesOf,
  PIPELINE_KIND,
  type Pipeline,
  pipelineSchema,
  type Stage,
  stageSchema,
} from "./schema.ts";

const FILE = {
  what: "pipeline",
  remedy: "name a YAML file with -f, for example deploy/pipelines/distilled.yaml",
};
const REMEDY = "the README has an example of a pipeline with all that a stage may have";

type Written = (typeof pipelineSchema)["_output"];
type WrittenStage = Written["spec"]["stages"][number];
type Mapping = Record<string, unknown>;

/** @param set `path=value` pairs for the job of every stage, `STAGE.path=value` for one's. @throws PlumeError NOT_FOUND or INVALID_ARGUMENT. */
export function loadPipeline(file: string, set: readonly string[] = []): Pipeline {
  const jobOf = (path: string, stage: string): Mapping =>
    readMapping(resolve(dirname(file), path), {
      what: "job",
      remedy: `jobFile of stage ${stage} is a path from the folder of ${file}`,
    });
  return checkPipeline(readMapping(file, FILE), file, { jobOf, set });
}

interface Around {
  /** A stage's job file. */
  readonly jobOf: (path: string, stage: string) => Mapping;
  readonly set?: readonly string[];
}

/** @param from for messages. @throws PlumeError INVALID_ARGUMENT with every fault of one kind. */
export function checkPipeline(value: object, from: string, around: Around): Pipeline {
  const { metadata, spec } = parse(value, from);
  refuse(from, nameFaults(spec.stages));
  const names = spec.stages.map(({ name }) => name);
  refuse(from, overrideFaults(around.set ?? [], names));
  const stages = spec.stages.map((stage) => {
    const set = (around.set ?? []).flatMap((pair) => setFor(stage.name, names, pair));
    return stageOf(stage, metadata.name, from, { ...around, set });
  });
  const order = inOrder(stages);
  if (order.kind === "cycle")
    refuse(from, [`its stages need one another in a circle: ${order.path.join(" -> ")}; take one of these edges out`]);
  refuse(from, edgeFaults(stages));
  return { name: metadata.name, stages: order.kind === "ordered" ? order.stages : [] };
}

/** A pair begins with a stage's name, or is of every stage's job. */
function overrideFaults(set: readonly string[], names: readonly string[]): readonly string[] {
  const known = [...names, ...JOB_ROOTS, ...fieldNames(["spec"])];
  return set.flatMap((pair) => {
    const [first] = pair.split(/[.=]/, 1) as [string];
    if (first === "" || known.includes(first)) return [];
    const right = suggestion(first, known).replace("the fields here", "stages and fields");
    return [`--set ${pair}: ${first} is no stage and no field of a job; ${right}`];
  });
}

/** A pair that begins with a stage's name is that stage's. */
function setFor(stage: string, names: readonly string[], pair: string): string[] {
  const [first] = pair.split(".", 1) as [string];
  if (!names.includes(first)) return [pair];
  return first === stage ? [pair.slice(first.length + 1)] : [];
}

function refuse(from: string, faults: readonly string[]): void {
  if (faults.length === 0) return;
  throw new PlumeError("INVALID_ARGUMENT", `${from}: ${faults.join("\n  ")}`, { remedy: REMEDY });
}

function parse(value: object, from: string): Written {
  const { kind } = value as { kind?: unknown };
  if (kind === "DiffusionJob")
    throw new PlumeError("INVALID_ARGUMENT", `${from} is a job, not a pipeline`, {
      remedy: `plume train -f ${from} runs it`,
    });
  const parsed = pipelineSchema.safeParse(value);
  if (parsed.success) return parsed.data;
  const faults = parsed.error.issues.flatMap((issue) => {
    const at = (key?: PropertyKey) => [...issue.path, ...(key === undefined ? [] : [key])].join(".") || "the pipeline";
    if (issue.code !== "unrecognized_keys") return [`${at()}: ${issue.message}`];
    return issue.keys.map((key) => `${at(key)} is no field of a pipeline; ${suggestion(key, knownAt(issue.path))}`);
  });
  throw new PlumeError("INVALID_ARGUMENT", `${from}: ${faults.join("\n  ")}`, { remedy: REMEDY });
}

/** Names of the fields where an unknown one was found. */
function knownAt(path: readonly PropertyKey[]): string[] {
  const [root, , index, group] = path;
  const shape =
    group !== undefined
      ? (group === "base" ? baseSchema : edgeSchema).shape
      : index !== undefined
        ? stageSchema.shape
        : pipelineSchema.shape;
  return root === undefined || index !== undefined ? Object.keys(shape) : root === "spec" ? ["stages"] : ["name"];
}

/** Two of one name, stages that are none, fields that are none, no job or two. */
function nameFaults(stages: readonly WrittenStage[]): readonly string[] {
  const names = stages.map(({ name }) => name);
  return stages.flatMap((stage, index) => {
    const { name, jobFile, spec, models, base } = stage;
    const here = `stage ${name}`;
    const fields = FROZEN_NAMES.map(String);
    const unknown = namedBy({ name, models, base: base?.stage ?? null }).filter((each) => !names.includes(each));
    return [
      ...(names.indexOf(name) < index ? [`${here}: there are two of this name; call one otherwise`] : []),
      ...((jobFile === undefined) === (spec === undefined)
        ? [`${here} has ${spec ? "both spec and jobFile" : "no job"}; give it either spec, the job in line, or jobFile`]
        : []),
      ...unknown.map((each) => `${here} takes of stage ${each}, which there is not; ${didYouMean(each, names)}`),
      ...Object.keys(models)
        .filter((field) => !fields.includes(field))
        .map((field) => `${here}: models.${field} is no model that a job takes; ${suggestion(field, fields)}`),
    ];
  });
}

const didYouMean = (name: string, names: readonly string[]): string =>
  suggestion(name, names).replace("the fields here", "the stages");

/** The job by its own rules: of its models some are there only when their stage is. */
function stageOf(
  { name, jobFile, spec, models, base }: WrittenStage,
  pipeline: string,
  from: string,
  { jobOf, set = [] }: Around,
): Stage {
  const raw: Mapping = structuredClone(jobFile === undefined ? { spec } : jobOf(jobFile, name));
  for (const pair of set) applyOverride(raw, pair);
  const own = (raw.spec ?? {}) as Mapping;
  const called = `${from}: stage ${name}${jobFile === undefined ? "" : ` (${jobFile})`}`;
  refuseToken(own.monitoring as Mapping | undefined, called);
  const metadata = { ...(raw.metadata as object | undefined), name: `${pipeline}-${name}` };
  const job = checkJob({ ...raw, metadata, spec: { ...own, models: withPlaces(own.models, models) } }, called);
  return { name, job, models: models as Stage["models"], base: base?.stage ?? null };
}

/** A job without its token is what a pipeline keeps and shows: a token would get lost. */
function refuseToken(monitoring: Mapping | undefined, called: string): void {
  if (monitoring?.token === undefined) return;
  throw new PlumeError("INVALID_ARGUMENT", `${called}: spec.monitoring.token is read from a job file alone`, {
    remedy: "set PLUME_TOKEN instead, which all stages take; in a cluster the Secret NAME-page",
  });
}

/** What a job says of a model beside which one it is: how much of a caption a text encoder reads. */
function howOf(models: unknown, field: string): object {
  const model = (models as Readonly<Record<string, Mapping>> | undefined)?.[field];
  const { from: _, weights: __, sha256: ___, ...how } = model ?? {};
  return how;
}

/** Something in every field that an edge fills, so that the job's own rules can be asked. */
const withPlaces = (own: unknown, models: WrittenStage["models"]): object => ({
  ...(own as object | undefined),
  ...Object.fromEntries(
    Object.entries(models).map(([field, { stage, weights }]) => [
      field,
      { ...howOf(own, field), from: `file://stage/${stage}`, weights },
    ]),
  ),
});

/** The pipeline as one document without job files: what pipeline.yaml in its folder holds, and what a cluster takes. */
export const inlined = ({ name, stages }: Pipeline) => ({
  apiVersion: "plume.dev/v1alpha1",
  kind: PIPELINE_KIND,
  metadata: { name },
  spec: { stages: stages.map(inlinedStage) },
});

function inlinedStage({ name, job: { spec }, models, base }: Stage): object {
  const own = Object.entries(spec.models)
    .map(([field, model]) => [field, field in models ? howOf(spec.models, field) : model] as const)
    .filter(([, model]) => Object.keys(model ?? {}).length > 0);
  return {
    name,
    ...(Object.keys(models).length > 0 && { models }),
    ...(base !== null && { base: { stage: base } }),
    spec: { ...spec, models: Object.fromEntries(own) },
  };
}

export const dumpPipeline = (pipeline: Pipeline): string =>
  stringify(inlined(pipeline), { aliasDuplicateObjects: false });

/** The stage's job with a checkpoint in every field that an edge fills. */
export function jobWith(
  { job, models }: Stage,
  sourceOf: (field: FrozenName) => { readonly from: string; readonly sha256: string | undefined },
): Stage["job"] {
  const filled = edgesOf({ models }).map(([field, { weights }]) => {
    const { from, sha256 } = sourceOf(field);
    return [field, { ...job.spec.models[field], from, weights, ...(sha256 !== undefined && { sha256 }) }];
  });
  return { ...job, spec: { ...job.spec, models: { ...job.spec.models, ...Object.fromEntries(filled) } } };
}
