// The operator at work: watches that fill a queue of jobs, workers that make passes over them. Runs while this process leads.

import { setMaxListeners } from "node:events";
import { aborted } from "../../shared/clock.ts";
import type { Logger } from "../../shared/log.ts";
import type { OperatorEvent } from "../../shared/metrics/operator/source.ts";
import { PIPELINE_KIND } from "../../shared/stages/schema.ts";
import { NAME, PLUME } from "../render/labels.ts";
import { type Api, ApiError } from "./api.ts";
import { type Coordinators, createCoordinators } from "./coordinators.ts";
import { createReader } from "./desired.ts";
import { type Informer, type InformerOptions, keyOf, startInformer } from "./informer.ts";
import { controllerOf, type DiffusionJob } from "./job.ts";
import { CHILD_KINDS, type KindName } from "./kinds.ts";
import type { KubernetesEvent, KubernetesObject, Pod } from "./objects.ts";
import type { OperatorOptions } from "./observed.ts";
import { pacedFor } from "./pace.ts";
import type { DiffusionPipeline } from "./pipelines/decide.ts";
import { createPipelineReconciler } from "./pipelines/reconcile.ts";
import { createQueue, systemQueueClock } from "./queue.ts";
import { createReconciler, type View } from "./reconcile.ts";
import type { Recorder } from "./recorder.ts";

export interface ControllerOptions {
  readonly api: Api;
  /** null for all of them. */
  readonly namespace: string | null;
  readonly recorder: Recorder;
  readonly plane: Parameters<typeof createCoordinators>[0]["plane"];
  readonly options: OperatorOptions;
  /** Passes at the same time, over different jobs. */
  readonly workers: number;
  readonly epochMs: () => number;
  readonly onEvent: (event: OperatorEvent) => void;
  readonly log: Logger;
}

export interface Controller {
  readonly jobs: number;
  readonly queued: number;
  /** Ends passes that are under way at their next call; resolves when none is. */
  close(): Promise<void>;
}

const LABELS = `${NAME}=${PLUME}`;
/** Pods that admission refuses: a StatefulSet tells it in events alone. */
const FAILURES = "involvedObject.kind=StatefulSet,reason=FailedCreate";
/** Every job gets a pass so often, whatever was missed. */
const RESYNC_MS = 300_000;

export async function startController(parts: ControllerOptions, signal: AbortSignal): Promise<Controller> {
  const { api, namespace, recorder, plane, options, workers, epochMs, onEvent, log } = parts;
  const stop = new AbortController();
  const over = AbortSignal.any([signal, stop.signal]);
  setMaxListeners(0, over); // one for each call that is under way
  let work = async (_: string): Promise<number | null> => null;
  let workOnPipeline = async (_: string): Promise<number | null> => null;

  const queueOf = (what: "job" | "pipeline", pass: (key: string) => Promise<number | null>) =>
    createQueue({
      clock: systemQueueClock,
      workers,
      work: (key) => measured(() => pass(key), onEvent),
      onError(key, error, againMs) {
        if (over.aborted) return;
        const isNews = !(error instanceof ApiError) || error.code !== 409; // somebody was quicker: look again
        if (isNews) log.warn({ [what]: key, reason: String(error), againMs }, "a pass failed and is made again");
      },
    });
  const queue = queueOf("job", (key) => work(key));
  const pipelineQueue = queueOf("pipeline", (key) => workOnPipeline(key));

  const watch = (kind: KindName, selector: Selector, onKey = queue.add) =>
    startInformer({
      api,
      kind,
      namespace,
      ...selector,
      onChange(object, job) {
        onEvent({ kind: "heard" });
        if (job !== null) onKey(job);
        const pipeline = pipelineWith(object);
        if (pipeline !== null) pipelineQueue.add(pipeline);
      },
      onError: () => onEvent({ kind: "watch-failed" }),
      log,
      signal: over,
    });
  const jobs = watch("DiffusionJob", { jobOf: keyOf });
  const pods = watch("Pod", { labelSelector: LABELS });
  const children = CHILD_KINDS.map((kind) => watch(kind, { labelSelector: LABELS }));
  const failures = watch("Event", { fieldSelector: FAILURES, jobOf: jobTold });
  const informers = [jobs, pods, failures, ...children];
  // Not waited for: a cluster may have jobs and no definition of pipelines.
  const pipelines = watch("DiffusionPipeline", { jobOf: keyOf, isOptional: true }, pipelineQueue.add);
  await Promise.race([Promise.all(informers.map(({ synced }) => synced)), aborted(over)]);
  over.throwIfAborted();

  const keyOfUid = (uid: string): string | undefined => {
    for (const job of jobs.all()) if (job.metadata.uid === uid) return keyOf(job);
    return undefined;
  };
  const coordinators: Coordinators = createCoordinators({
    plane,
    now: () => performance.now(),
    epochMs,
    onSaved(uid) {
      const key = keyOfUid(uid);
      if (key !== undefined) queue.add(key);
    },
  });
  work = createReconciler({
    api,
    view: viewOf(jobs, pods, failures, children),
    reader: createReader(),
    coordinators,
    recorder,
    options: () => pacedFor(jobs.size, options),
    epochMs,
    onStatus: () => onEvent({ kind: "status-written" }),
    log,
    signal: over,
  });
  workOnPipeline = createPipelineReconciler({
    api,
    view: {
      pipeline: (key) => pipelines.get(...splitKey(key)) as DiffusionPipeline | undefined,
      job: (of, name) => jobs.get(of, name) as DiffusionJob | undefined,
    },
    recorder,
    epochMs,
    onStatus: () => onEvent({ kind: "status-written" }),
    log,
    signal: over,
  });
  const all = () => {
    for (const job of jobs.all()) queue.add(keyOf(job));
    for (const pipeline of pipelines.all()) pipelineQueue.add(keyOf(pipeline));
  };
  all();
  const resync = setInterval(all, RESYNC_MS);

  return {
    get jobs() {
      return jobs.size;
    },
    get queued() {
      return queue.depth;
    },
    async close() {
      clearInterval(resync);
      stop.abort();
      await Promise.all([queue.close(), pipelineQueue.close()]);
      coordinators[Symbol.dispose]();
      await Promise.all([...informers, pipelines].map(({ done }) => done));
    },
  };
}

type Selector = Pick<InformerOptions, "labelSelector" | "fieldSelector" | "jobOf" | "isOptional">;

const splitKey = (key: string) => key.split("/") as [namespace: string, name: string];

/** The key of the pipeline that a job is of. */
function pipelineWith(object: KubernetesObject): string | null {
  const owner = object.kind === "DiffusionJob" ? controllerOf(object) : undefined;
  return owner?.kind === PIPELINE_KIND ? `${object.metadata.namespace}/${owner.name}` : null;
}

/** The key of the job whose set an event tells of. */
function jobTold(event: KubernetesObject): string | null {
  const { metadata, involvedObject } = event as KubernetesEvent;
  const set = /^(.+)-(?:coordinator|worker)$/.exec(involvedObject.name ?? "");
  return set ? `${metadata.namespace}/${set[1]}` : null;
}

/** Objects by the job that they are made for. */
function viewOf(jobs: Informer, pods: Informer, failures: Informer, children: readonly Informer[]): View {
  const of = (informers: readonly Informer[], namespace: string, job: string) =>
    informers.flatMap((informer) => informer.ofJob(namespace, job));
  return {
    job(key) {
      return jobs.get(...splitKey(key)) as DiffusionJob | undefined;
    },
    children: (namespace, job) => of(children, namespace, job),
    pods: (namespace, job) => of([pods], namespace, job) as Pod[],
    failures: (namespace, job) => of([failures], namespace, job) as KubernetesEvent[],
  };
}

async function measured<T>(pass: () => Promise<T>, onEvent: (event: OperatorEvent) => void): Promise<T> {
  const started = performance.now();
  const seconds = () => (performance.now() - started) / 1000;
  try {
    const result = await pass();
    onEvent({ kind: "pass", seconds: seconds(), outcome: "done" });
    return result;
  } catch (error) {
    onEvent({ kind: "pass", seconds: seconds(), outcome: "failed" });
    throw error;
  }
}
