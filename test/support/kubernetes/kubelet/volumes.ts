// A pod's volumes as folders of this machine.

import { chmodSync, chownSync, mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type { Client } from "./client.ts";
import { dataOf, NotYet } from "./environment.ts";
import { fieldOf, type Pod, type Volume } from "./objects.ts";
import { amountOf } from "./quantity.ts";
import type { MemoryVolume } from "./sandbox.ts";

export interface VolumeOptions {
  readonly client: Client;
  readonly pod: Pod;
  readonly ip: string;
  /** Of the pod: its emptyDirs end with it. */
  readonly folder: string;
  /** Of a claim: outlives the pod. */
  readonly claimFolder: (namespace: string, claim: string) => string;
  /** Who the pod's processes are. */
  readonly uid: number;
  readonly gid: number;
}

/** @returns the folder of each volume. @throws NotYet */
export async function prepareVolumes(options: VolumeOptions): Promise<ReadonlyMap<string, string>> {
  const folders = new Map<string, string>();
  for (const volume of options.pod.spec.volumes ?? []) folders.set(volume.name, await prepare(volume, options));
  return folders;
}

/** @param folder of the pod's volumes. */
export const memoryVolumes = ({ spec }: Pod, folder: string): MemoryVolume[] =>
  (spec.volumes ?? []).filter(isInMemory).map(({ name, emptyDir }) => ({
    path: join(folder, name),
    bytes: amountOf(emptyDir?.sizeLimit ?? "64Mi"),
    gid: spec.securityContext?.fsGroup ?? 0,
  }));

const isInMemory = ({ emptyDir }: Volume): boolean => emptyDir?.medium === "Memory";

async function prepare(volume: Volume, options: VolumeOptions): Promise<string> {
  const { client, pod, folder, claimFolder, uid, gid } = options;
  const { namespace } = pod.metadata;
  const path = volume.persistentVolumeClaim
    ? claimFolder(namespace, await boundClaim(client, namespace, volume.persistentVolumeClaim.claimName))
    : join(folder, volume.name);
  if (isInMemory(volume)) return path; // the sandbox has it
  mkdirSync(path, { recursive: true });
  if (volume.emptyDir || volume.persistentVolumeClaim) {
    chownSync(path, uid, gid);
    chmodSync(path, 0o2770);
    return path;
  }
  for (const [name, bytes] of await filesOf(volume, options)) {
    mkdirSync(dirname(join(path, name)), { recursive: true });
    writeFileSync(join(path, name), bytes, { mode: 0o640 });
    chownSync(join(path, name), uid, gid);
  }
  return path;
}

async function filesOf(volume: Volume, options: VolumeOptions): Promise<[string, Buffer | string][]> {
  const { client, pod, ip } = options;
  const { namespace } = pod.metadata;
  const { configMap, secret, projected } = volume;
  if (configMap) return picked(await dataOf(client, "configmaps", namespace, configMap), configMap.items);
  if (secret) {
    const ref = { name: secret.secretName, optional: secret.optional };
    return picked(await dataOf(client, "secrets", namespace, ref), secret.items);
  }
  if (!projected) throw new NotYet("ContainerCreating", `the process kubelet has no such volume: ${volume.name}`);
  const files: [string, Buffer | string][] = [];
  for (const { serviceAccountToken, configMap: map, secret: hidden, downwardAPI } of projected.sources) {
    if (map) files.push(...picked(await dataOf(client, "configmaps", namespace, map), map.items));
    if (hidden) files.push(...picked(await dataOf(client, "secrets", namespace, hidden), hidden.items));
    for (const { path, fieldRef } of downwardAPI?.items ?? []) files.push([path, fieldOf(pod, ip, fieldRef.fieldPath)]);
    if (serviceAccountToken) files.push([serviceAccountToken.path, await tokenFor(client, pod)]);
  }
  return files;
}

const picked = (
  data: Readonly<Record<string, Buffer>> | null,
  items?: readonly { readonly key: string; readonly path: string }[],
): [string, Buffer][] =>
  Object.entries(data ?? {}).flatMap(([key, value]): [string, Buffer][] => {
    if (!items) return [[key, value]];
    return items.filter((item) => item.key === key).map(({ path }) => [path, value]);
  });

/** As the real one asks for it: bound to the pod, so that it dies with it. */
async function tokenFor(client: Client, { metadata, spec }: Pod): Promise<string> {
  const account = spec.serviceAccountName ?? "default";
  const path = `/api/v1/namespaces/${metadata.namespace}/serviceaccounts/${account}/token`;
  const { status } = await client.post<{ status: { token: string } }>(path, {
    apiVersion: "authentication.k8s.io/v1",
    kind: "TokenRequest",
    spec: {
      expirationSeconds: 3607,
      boundObjectRef: { apiVersion: "v1", kind: "Pod", name: metadata.name, uid: metadata.uid },
    },
  });
  return status.token;
}

async function boundClaim(client: Client, namespace: string, name: string): Promise<string> {
  const claim = await client.get<{ status?: { phase?: string } }>(
    `/api/v1/namespaces/${namespace}/persistentvolumeclaims/${name}`,
  );
  if (claim?.status?.phase !== "Bound") throw new NotYet("ContainerCreating", `claim ${name} is not bound`);
  return name;
}

interface Claim {
  readonly metadata: { readonly name: string; readonly namespace: string; readonly uid: string };
  readonly spec: { readonly accessModes: readonly string[]; readonly resources: object; readonly volumeName?: string };
  readonly status?: { readonly phase?: string };
}

/** Gives every claim a volume; the real controller binds the two. */
export async function provision(client: Client, given: Set<string>): Promise<void> {
  for (const { metadata, spec, status } of await client.list<Claim>("/api/v1/persistentvolumeclaims")) {
    const { name, namespace, uid } = metadata;
    if (status?.phase === "Bound" || given.has(uid)) continue;
    await client.post("/api/v1/persistentvolumes", {
      apiVersion: "v1",
      kind: "PersistentVolume",
      metadata: { name: `volume-${uid}` },
      spec: {
        capacity: { storage: "1Ti" },
        accessModes: spec.accessModes,
        persistentVolumeReclaimPolicy: "Retain",
        claimRef: { apiVersion: "v1", kind: "PersistentVolumeClaim", name, namespace, uid },
        hostPath: { path: `/claims/${namespace}/${name}` },
      },
    });
    given.add(uid);
  }
}
