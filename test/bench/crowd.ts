// Many jobs as a person sees them: made, scaled, and how long each change waits until its status tells of it.

import type { Api } from "../../k8s/operator/api.ts";
import { startInformer } from "../../k8s/operator/informer.ts";
import type { DiffusionJob } from "../../k8s/operator/job.ts";
import { collectionPath } from "../../k8s/operator/kinds.ts";
import { silentLog } from "../../shared/log.ts";

export interface Crowd extends AsyncDisposable {
  readonly names: readonly string[];
  /** Milliseconds from the request to the status that is written for it, as a watch tells of it. */
  create(name: string): Promise<number>;
  scale(name: string, replicas: number): Promise<number>;
  /** Every job trains with as many workers as it asks for. */
  readonly settled: boolean;
}

interface Change {
  readonly atMs: number;
  readonly onTold: (ms: number) => void;
  /** metadata.generation that the change made; null until the API server has said it. */
  generation: number | null;
}

export interface CrowdOptions {
  readonly api: Api;
  readonly namespace: string;
  readonly jobs: number;
  /** Of each job at first. */
  readonly workers: number;
}

export async function startCrowd({ api, namespace, jobs: count, workers }: CrowdOptions): Promise<Crowd> {
  const names = Array.from({ length: count }, (_, index) => `job-${String(index).padStart(3, "0")}`);
  const collection = collectionPath("DiffusionJob", namespace);
  const changes = new Map<string, Change>();
  const stop = new AbortController();
  const jobOf = (name: string) => jobs.get(namespace, name) as DiffusionJob | undefined;

  const look = (name: string) => {
    const change = changes.get(name);
    if (!change || change.generation === null) return;
    if ((jobOf(name)?.status?.observedGeneration ?? 0) < change.generation) return;
    changes.delete(name);
    change.onTold(performance.now() - change.atMs);
  };
  const jobs = startInformer({
    api,
    kind: "DiffusionJob",
    namespace,
    onChange: ({ metadata }) => look(metadata.name),
    onError: () => {},
    log: silentLog,
    signal: stop.signal,
  });
  await jobs.synced;

  const changed = async (name: string, ask: () => Promise<DiffusionJob>): Promise<number> => {
    const change: Change = { atMs: performance.now(), onTold: (ms) => resolve(ms), generation: null };
    let resolve: (ms: number) => void = () => {};
    const told = new Promise<number>((onTold) => {
      resolve = onTold;
    });
    changes.set(name, change);
    change.generation = (await ask()).metadata.generation!;
    look(name);
    return told;
  };

  return {
    names,
    create: (name) =>
      changed(name, () => api.call({ method: "POST", path: collection, body: jobObject(name, workers) })),
    scale: (name, replicas) => {
      const body = { spec: { workers: { replicas } } };
      const contentType = "application/merge-patch+json";
      return changed(name, () => api.call({ method: "PATCH", path: `${collection}/${name}`, body, contentType }));
    },
    get settled() {
      return names.every((name) => {
        const { spec, status } = jobOf(name) ?? {};
        const asked = (spec?.workers as { replicas?: number } | undefined)?.replicas;
        return status?.phase === "Training" && status.workers?.ready === asked && status.workers?.replicas === asked;
      });
    },
    async [Symbol.asyncDispose]() {
      stop.abort();
      await jobs.done;
    },
  };
}

const jobObject = (name: string, replicas: number) => ({
  apiVersion: "plume.dev/v1alpha1",
  kind: "DiffusionJob",
  metadata: { name },
  spec: { data: { source: "shapes:512" }, workers: { replicas, max: 100 } },
});
