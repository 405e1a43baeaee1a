// What speaks against the edges of a pipeline, by the jobs alone: one line a fault, with what would be right.

import type { Job } from "../config/schema.ts";
import { givesImages } from "../models/index.ts";
import { type Edge, edgesOf, type Stage, weightsKey } from "./schema.ts";

/** Of stages that exist and are in no circle. */
export function edgeFaults(stages: readonly Stage[]): readonly string[] {
  const jobs = new Map(stages.map(({ name, job }) => [name, job]));
  return stages.flatMap((stage) => [
    ...edgesOf(stage).flatMap(([field, edge]) =>
      checkpointFaults(`stage ${stage.name}: models.${field}`, edge, jobs.get(edge.stage)!),
    ),
    ...spaceFaults(stage, stages, jobs),
    ...(stage.base === null ? [] : baseFaults(stage, stage.base, jobs.get(stage.base)!)),
    ...storeFaults(stage, stages),
  ]);
}

/** A checkpoint that its stage never writes, or does not keep to its end. */
function checkpointFaults(field: string, { stage, step }: Edge, { spec }: Job): readonly string[] {
  if (step === undefined) return [];
  const { steps } = spec.training;
  const { everySteps, keep, keepEvery } = spec.checkpoint;
  const one = `${field}: step ${step} of stage ${stage}`;
  if (step > steps)
    return [`${one} is above its training.steps ${steps}; lower it, or leave step out for the last one`];
  if (step === steps) return [];
  if (step % everySteps !== 0)
    return [`${one} has no checkpoint: it saves every ${everySteps} steps and at ${steps}; name one of those`];
  const after = Math.floor((steps - 1) / everySteps) - step / everySteps + 1;
  if (after < keep || (keepEvery !== undefined && step % keepEvery === 0)) return [];
  return [
    `${one} is no longer there at its end: it keeps the newest ${keep}; raise its checkpoint.keep to ${after + 1}, or set checkpoint.keepEvery ${step}`,
  ];
}

/** A prior draws embeddings of the clip that it was trained with. */
function spaceFaults(
  { name, models: { clip, prior } }: Stage,
  stages: readonly Stage[],
  jobs: ReadonlyMap<string, Job>,
): readonly string[] {
  const own = stages.find((each) => each.name === prior?.stage)?.models.clip;
  if (!clip || !own) return [];
  const called = ({ stage, weights, step = jobs.get(stage)!.spec.training.steps }: Edge): string =>
    `stage ${stage} (${weightsKey({ stage, weights, step })})`;
  if (called(clip) === called(own)) return [];
  return [
    `stage ${name}: models.prior: stage ${prior!.stage} draws embeddings of ${called(own)}, models.clip is ${called(clip)}; give both the same`,
  ];
}

/** What `plume sample UPSAMPLER --base` asks of the two. */
function baseFaults({ name, job }: Stage, base: string, { spec }: Job): readonly string[] {
  const { data, model } = job.spec;
  const field = `stage ${name}: base`;
  if (!model.lowRes) return [`${field} ${base}: ${name} is no upsampler; give its job model.lowRes, or leave base out`];
  if (!givesImages(spec.model.type))
    return [`${field} ${base}: it is a ${spec.model.type} and draws nothing; name a stage that does`];
  const { size } = model.lowRes;
  const classes = [spec.model.classes, model.classes];
  return [
    ...(spec.data.imageSize === size
      ? []
      : [
          `${field} ${base}: it draws images of data.imageSize ${spec.data.imageSize}, ${name} enlarges those of model.lowRes.size ${size} to ${data.imageSize}; make them equal`,
        ]),
    ...(classes.includes(0) || classes[0] === classes[1]
      ? []
      : [`${field} ${base}: it has model.classes ${classes[0]}, ${name} ${classes[1]}; make them equal`]),
  ];
}

/** Two runs in one store would take each other's checkpoints for their own. */
function storeFaults({ name, job }: Stage, stages: readonly Stage[]): readonly string[] {
  const { store } = job.spec.checkpoint;
  const first = stages.find((each) => each.job.spec.checkpoint.store === store)!;
  if (store === undefined || first.name === name) return [];
  return [
    `stage ${name}: checkpoint.store ${store} is stage ${first.name}'s; give each its own, or leave it out for the stage's folder`,
  ];
}
