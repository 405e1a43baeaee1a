// The job of a run that has begun: each model that it names is one checkpoint, known by its sha256.

import { resolve } from "node:path";
import type { FrozenName } from "../config/models.ts";
import type { Job, JobSpec } from "../config/schema.ts";
import type { FrozenModels } from "./read.ts";

type Models = JobSpec["models"];

const withModels = (job: Job, models: Models): Job => ({ ...job, spec: { ...job.spec, models } });

const mapModels = (models: Models, to: (name: FrozenName) => Models[FrozenName]): Models =>
  Object.fromEntries((Object.keys(models) as FrozenName[]).map((name) => [name, to(name)])) as Models;

/** What workers are told, what checkpoints keep, and what a run that goes on is held against. */
export const withPins = (job: Job, frozen: FrozenModels): Job =>
  withModels(
    job,
    mapModels(job.spec.models, (name) => {
      const { at, sha256 } = frozen[name]!;
      return { ...job.spec.models[name]!, from: at, sha256 };
    }),
  );

/**
 * The job of a run that goes on: a model that it names as before is the checkpoint that the run began with, also where the
 * store has newer ones by now. @param begun the pinned job of the run's folder; null where there is none.
 */
export const withPinsOf = (job: Job, begun: Job | null): Job =>
  withModels(
    job,
    mapModels(job.spec.models, (name) => {
      const [asked, pinned] = [job.spec.models[name]!, begun?.spec.models[name]];
      const { from, ...how } = asked;
      return asked.sha256 === undefined && pinned && isSame(pinned, how) && isIn(pinned.from, from) ? pinned : asked;
    }),
  );

/** Whether what is asked of a model, beside where it is, is what was pinned. */
const isSame = (pinned: object, asked: object): boolean => {
  const { from: _, sha256: __, ...how } = pinned as { readonly from: string; readonly sha256?: string };
  return JSON.stringify(how) === JSON.stringify(asked);
};

/** Whether a checkpoint is one of a place. */
function isIn(checkpoint: string, place: string): boolean {
  const whole = place.startsWith("file://") ? `file://${resolve(place.slice("file://".length))}` : place;
  return `${checkpoint}/`.startsWith(`${whole.replace(/\/+$/, "")}/`);
}
