// Events as Kubernetes keeps them, for `kubectl describe` and `kubectl events`. One that is told again counts up; one that cannot be
// told is lost, and nothing waits for it.

import { createHash } from "node:crypto";
import { type Api, ApiError } from "./api.ts";
import { timeText } from "./conditions.ts";
import { apiVersionOf, collectionPath } from "./kinds.ts";
import type { KubernetesObject } from "./objects.ts";
import type { JobEvent } from "./observed.ts";

export interface RecorderOptions {
  readonly api: Api;
  /** This process, among operators. */
  readonly instance: string;
  readonly epochMs: () => number;
  readonly onError: (error: unknown) => void;
}

export interface Recorder {
  /** Of a job or a pipeline. */
  tell(job: KubernetesObject, event: JobEvent): Promise<void>;
}

interface Told {
  readonly count: number;
}

/** What the API server takes. */
const MOST_MESSAGE = 1000;
/** Of the texts that are remembered, to count them. */
const MOST_KEPT = 5_000;

export function createRecorder({ api, instance, epochMs, onError }: RecorderOptions): Recorder {
  const counts = new Map<string, number>();

  const tell = async (job: KubernetesObject, { type, reason, message }: JobEvent) => {
    const { name: jobName, namespace = "default", uid = "", resourceVersion } = job.metadata;
    const digest = createHash("sha256").update(`${uid} ${type} ${reason} ${message}`).digest("hex").slice(0, 16);
    const name = `${jobName}.${digest}`;
    const count = (counts.get(name) ?? 0) + 1;
    counts.set(name, count);
    if (counts.size > MOST_KEPT) counts.delete(counts.keys().next().value!);
    const now = timeText(epochMs());
    const collection = collectionPath("Event", namespace);
    const event = {
      apiVersion: apiVersionOf("Event"),
      kind: "Event",
      metadata: { name, namespace },
      involvedObject: { apiVersion: job.apiVersion, kind: job.kind, name: jobName, namespace, uid, resourceVersion },
      type,
      reason,
      message: message.slice(0, MOST_MESSAGE),
      source: { component: "plume-operator" },
      reportingComponent: "plume-operator",
      reportingInstance: instance,
      firstTimestamp: now,
      lastTimestamp: now,
      count,
    };
    try {
      await api.call({ method: "POST", path: collection, body: event });
    } catch (error) {
      if (!(error instanceof ApiError) || error.code !== 409) throw error;
      const path = `${collection}/${name}`;
      const { count: before } = await api.call<Told>({ method: "GET", path });
      const again = { count: Math.max(before + 1, count), lastTimestamp: now };
      await api.call({ method: "PATCH", path, body: again, contentType: "application/merge-patch+json" });
    }
  };

  return { tell: (job, event) => tell(job, event).catch(onError) };
}
