// What a coordinator learns from the cluster before it opens a run: what was asked of the run, and by which incarnation.

import { sleep } from "../../shared/clock.ts";
import type { Job } from "../../shared/config/schema.ts";
import { PlumeError } from "../../shared/errors.ts";
import { raiseIncarnation } from "../../shared/run-lock/lock.ts";
import { openClusterApi } from "./api.ts";
import { type ClusterObjects, clusterObjects, type Notes, setNamed } from "./objects.ts";
import { type ClusterSupervisor, createClusterSupervisor } from "./supervisor.ts";

interface ClusterOptions {
  /** statefulset/NAME */
  readonly scales: string;
  readonly job: Job;
  /** The run's folder, which may be new and empty though the run is not. */
  readonly out: string;
}

/** An API server that is being replaced is back by then, and knows the rights that were given a moment ago. */
const PATIENCE_MS = 30_000;
const PAUSE_MS = 1_000;

/** @throws PlumeError when the notes cannot be read: without them a paused run would go on. */
export async function openCluster({ scales, job, out }: ClusterOptions): Promise<{
  readonly asked: Pick<Notes, "workers" | "paused">;
  readonly supervisor: ClusterSupervisor;
}> {
  const { perPod } = job.spec.workers;
  const notes = `${job.metadata.name}-state`;
  const objects = clusterObjects(openClusterApi(), { set: setNamed(scales), notes, perPod });
  const found = await readPatiently(objects);
  raiseIncarnation(out, found.incarnation);
  return { asked: found, supervisor: createClusterSupervisor(objects, found) };
}

async function readPatiently(objects: ClusterObjects): Promise<Notes> {
  for (let waited = 0; ; waited += PAUSE_MS) {
    try {
      return await objects.readNotes();
    } catch (error) {
      if (!(error instanceof PlumeError) || waited >= PATIENCE_MS) throw error;
      await sleep(PAUSE_MS);
    }
  }
}
