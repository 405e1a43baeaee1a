// What a coordinator reads and writes of the cluster: its worker set's number, its owner's number, and a ConfigMap in which it
// notes what was asked of the run.

import { z } from "zod";
import { PlumeError } from "../../shared/errors.ts";
import type { ClusterApi } from "./api.ts";

/** What a coordinator that comes after this one must know. */
export interface Notes {
  /** Worker processes that were asked for; null before the first look at the set. */
  readonly workers: number | null;
  /** Why the set was brought to 0 from here; null when it was not. */
  readonly held: string | null;
  /** Why the run is paused; null when it is not. */
  readonly paused: string | null;
  /** The newest that was used. */
  readonly incarnation: number;
}

export interface WorkerSet {
  /** Of the API group plume.dev; null when nobody owns the set. */
  readonly owner: string | null;
  /** Worker processes that the owner asks for, or the set where it has none. */
  readonly workers: number;
}

export interface ClusterObjects {
  readSet(): Promise<WorkerSet>;
  /** Of the owner, where there is one. */
  scale(set: WorkerSet, workers: number): Promise<void>;
  readNotes(): Promise<Notes>;
  note(change: Partial<Notes>): Promise<void>;
}

const OWNER = { kind: "DiffusionJob", group: "plume.dev/" };

const ownerReference = z.object({
  apiVersion: z.string(),
  kind: z.string(),
  name: z.string(),
  controller: z.boolean().optional(),
});
const statefulSet = z.object({
  metadata: z.object({ ownerReferences: z.array(ownerReference).optional() }),
  spec: z.object({ replicas: z.int() }),
});
const scale = z.object({ spec: z.object({ replicas: z.int().default(0) }) });
const configMap = z.object({ data: z.record(z.string(), z.string()).optional() });

/** NAME of `statefulset/NAME`. @throws PlumeError INVALID_ARGUMENT */
export function setNamed(scales: string): string {
  const name = /^statefulset\/([a-z0-9][-a-z0-9]*)$/.exec(scales)?.[1];
  if (name) return name;
  throw new PlumeError("INVALID_ARGUMENT", `--scales ${scales} names no worker set`, {
    remedy: "for example --scales statefulset/plume-worker",
  });
}

export function clusterObjects(
  api: ClusterApi,
  { set, notes, perPod }: { readonly set: string; readonly notes: string; readonly perPod: number },
): ClusterObjects {
  const setPath = `/apis/apps/v1/namespaces/${api.namespace}/statefulsets/${set}`;
  const notesPath = `/api/v1/namespaces/${api.namespace}/configmaps/${notes}`;
  const ownerPath = (owner: string) =>
    `/apis/plume.dev/v1alpha1/namespaces/${api.namespace}/diffusionjobs/${owner}/scale`;

  return {
    async readSet() {
      const { metadata, spec } = statefulSet.parse(await api.get(setPath));
      const owner = metadata.ownerReferences?.find(
        ({ controller, kind, apiVersion }) => controller && kind === OWNER.kind && apiVersion.startsWith(OWNER.group),
      );
      if (!owner) return { owner: null, workers: spec.replicas * perPod };
      // The owner counts processes.
      return { owner: owner.name, workers: scale.parse(await api.get(ownerPath(owner.name))).spec.replicas };
    },

    async scale({ owner }, workers) {
      const replicas = owner === null ? Math.floor(workers / perPod) : workers;
      await api.patch(owner === null ? `${setPath}/scale` : ownerPath(owner), { spec: { replicas } });
    },

    async readNotes() {
      const { data = {} } = configMap.parse(await api.get(notesPath));
      const number = (text: string | undefined) => (/^\d+$/.test(text ?? "") ? Number(text) : null);
      return {
        workers: number(data.workers),
        held: data.held ?? null,
        paused: data.paused ?? null,
        incarnation: number(data.incarnation) ?? 0,
      };
    },

    async note(change) {
      const data = Object.entries(change).map(([key, value]) => [key, value === null ? null : String(value)]);
      await api.patch(notesPath, { data: Object.fromEntries(data) });
    },
  };
}
