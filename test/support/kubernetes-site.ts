// A namespace with the operator's rights, where a test applies small jobs and looks at what becomes of them.

import { vi } from "vitest";
import type { Api } from "../../k8s/operator/api.ts";
import { driftOf } from "../../k8s/operator/drift.ts";
import { CHILD_KINDS, collectionPath } from "../../k8s/operator/kinds.ts";
import type { KubernetesObject } from "../../k8s/operator/objects.ts";
import { renderJob } from "../../k8s/render/render.ts";
import { parseJob } from "../../shared/config/load.ts";
import type { ControlPlane } from "./kubernetes/control-plane.ts";
import { installOperator, startOperator } from "./kubernetes-operator.ts";

export const jobText = (name: string, spec: object = {}): string =>
  JSON.stringify({
    apiVersion: "plume.dev/v1alpha1",
    kind: "DiffusionJob",
    metadata: { name },
    spec: {
      data: { source: "shapes:512", imageSize: 8 },
      model: { channels: 8, channelMult: [1], groups: 4 },
      training: { steps: 20, globalBatch: 8, microBatch: 2 },
      workers: { replicas: 2, max: 4 },
      ...spec,
    },
  });

/** As `expect.poll`, which cannot be called by tests that run at the same time. */
export const eventually = (fact: () => Promise<void>): Promise<void> =>
  vi.waitFor(fact, { timeout: 30_000, interval: 200 });

export type Site = Awaited<ReturnType<typeof openSite>>;

export async function openSite(plane: ControlPlane) {
  const namespace = await plane.namespace();
  await installOperator(plane.kubectl, namespace);
  const kubectl = (...args: string[]) => plane.kubectl(["-n", namespace, ...args]);
  const get = async (what: string) => JSON.parse(await kubectl("get", what, "-o", "json", "--show-managed-fields"));
  return {
    namespace,
    kubectl,
    get,
    operator: () => startOperator({ kubeconfig: plane.kubeconfig, namespace }),
    apply: (text: string) => plane.kubectl(["-n", namespace, "apply", "-f", "-"], { input: text }),
    objects: async (): Promise<readonly KubernetesObject[]> =>
      JSON.parse(
        await kubectl("get", KINDS, "-l", "app.kubernetes.io/name=plume", "-o", "json", "--show-managed-fields"),
      ).items,
    condition: async (job: string, type: string) =>
      (await get(`dj/${job}`)).status?.conditions?.find((each: { type: string }) => each.type === type),
  };
}

const KINDS = "statefulset,configmap,service,serviceaccount,role,rolebinding,poddisruptionbudget";

/** Everything that was made for a job, without kubectl: it is asked for often. */
export async function objectsOfJob(api: Api, namespace: string, job: string): Promise<KubernetesObject[]> {
  const query = { labelSelector: `app.kubernetes.io/instance=${job}` };
  const lists = await Promise.all(
    CHILD_KINDS.map(async (kind) => {
      const path = collectionPath(kind, namespace);
      const { items } = await api.call<{ items: KubernetesObject[] }>({ method: "GET", path, query });
      return items.map((item) => ({ ...item, kind }));
    }),
  );
  return lists.flat();
}

/** What is not as `plume render` would have it; empty when nothing is. */
export function differences(text: string, namespace: string, objects: readonly KubernetesObject[]): string[] {
  return (renderJob(parseJob(text), { namespace }) as KubernetesObject[]).flatMap((wanted) => {
    const is = objects.find(({ kind, metadata }) => kind === wanted.kind && metadata.name === wanted.metadata.name);
    if (!is) return [`${wanted.kind}/${wanted.metadata.name} is not there`];
    const owners = is.metadata.ownerReferences ?? [];
    const drift = driftOf({ ...wanted, metadata: { ...wanted.metadata, ownerReferences: owners } }, is);
    return drift === null && owners.length === 1 ? [] : [`${wanted.kind}/${wanted.metadata.name}: ${drift}`];
  });
}
