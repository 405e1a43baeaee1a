// One pass over one pipeline: look, decide, do it. Level-triggered, as a job's.

import { describeError } from "../../../shared/errors.ts";
import type { Logger } from "../../../shared/log.ts";
import type { DiffusionPipelineStatus } from "../../crd/pipeline-status.ts";
import type { Api, ApiError } from "../api.ts";
import type { DiffusionJob } from "../job.ts";
import type { Recorder } from "../recorder.ts";
import { isMistake, writes } from "../writes.ts";
import { type DiffusionPipeline, decide, jobNames } from "./decide.ts";

export interface PipelineReconcilerOptions {
  readonly api: Api;
  /** Kept up to date by watches. */
  readonly view: {
    pipeline(key: string): DiffusionPipeline | undefined;
    job(namespace: string, name: string): DiffusionJob | undefined;
  };
  readonly recorder: Recorder;
  readonly epochMs: () => number;
  /** A status was written. */
  readonly onStatus: () => void;
  readonly log: Logger;
  readonly signal: AbortSignal;
}

export function createPipelineReconciler(parts: PipelineReconcilerOptions) {
  const { api, view, recorder, epochMs, onStatus, log, signal } = parts;
  const { applyObject, applyStatus } = writes(api, signal);
  /** Of the present generation, by uid. */
  const refusals = new Map<string, string>();

  const conclude = async (
    pipeline: DiffusionPipeline,
    { status, events }: ReturnType<typeof decide>,
  ): Promise<void> => {
    if (status) {
      await applyStatus<DiffusionPipelineStatus>(pipeline, status);
      onStatus();
    }
    for (const event of events) await recorder.tell(pipeline, event);
  };

  /** @returns null: it wants attention when something happens. */
  return async (key: string): Promise<null> => {
    const pipeline = view.pipeline(key);
    if (!pipeline || pipeline.metadata.deletionTimestamp) return null;
    const { namespace = "default", uid = "" } = pipeline.metadata;
    const found = jobNames(pipeline).flatMap((name) => view.job(namespace, name) ?? []);
    const jobs = new Map(found.map((job) => [job.metadata.name, job]));
    const observed = { pipeline, jobs, refused: refusals.get(uid) ?? null };
    const decision = decide(epochMs(), observed);
    let refused: ApiError | null = null;
    for (const object of decision.applies) {
      try {
        await applyObject(object);
        log.info({ pipeline: pipeline.metadata.name, job: object.metadata.name }, "applied");
      } catch (error) {
        if (!isMistake(error)) throw error;
        refused = error;
        refusals.set(uid, `the API server refuses DiffusionJob ${object.metadata.name}: ${describeError(error)}`);
      }
    }
    if (refused) {
      await conclude(pipeline, decide(epochMs(), { ...observed, refused: refusals.get(uid)! }));
      throw refused; // and tries again, each time later
    }
    refusals.delete(uid);
    await conclude(pipeline, decision);
    return null;
  };
}
