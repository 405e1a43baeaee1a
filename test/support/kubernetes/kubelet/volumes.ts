// A pod's volumes as folders of this machine.

import { chmodSync, chownSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import type { Client } from "./client.ts";
import { dataOf, NotYet } from "./environment.ts";
import { type MapFile, writeMapFiles } from "./map-files.ts";
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
  /** Of the pod's account, which may be asked for as often as one likes. */
  readonly token: () => Promise<string>;
}

/** @returns the folder of each volume. @throws NotYet */
export async function prepareVolumes(options: VolumeOptions): Promise<ReadonlyMap<string, string>> {
  const folders = new Map<string, string>();
  for (const volume of options.pod.spec.volumes ?? []) folders.set(volume.name, await prepare(volume, options));
  return folders;
}

/** Maps that were changed are changed in the volumes; one that is gone stays there. */
export async function refreshVolumes(options: VolumeOptions): Promise<void> {
  for (const volume of options.pod.spec.volumes ?? []) {
    if (!volume.configMap && !volume.secret && !volume.projected) continue;
    await prepare(volume, options).catch((error) => {
      if (!(error instanceof NotYet)) throw error;
    });
  }
}

/** @param folder of the pod's volumes. */
export const memoryVolumes = ({ spec }: Pod, folder: string): MemoryVolume[] =>
  (spec.volumes ?? []).filter(isInMemory).map(({ name, emptyDir }) => ({
    path: join(folder, name),
    size: emptyDir?.sizeLimit === undefined ? "50%" : `${amountOf(emptyDir.sizeLimit)}`,
    gid: spec.securityContext?.fsGroup ?? 0,
  }));

const isInMemory = ({ emptyDir }: Volume): boolean => emptyDir?.medium === "Memory";

async function prepare(volume: Volume, options: VolumeOptions): Promise<string> {
  const { client, pod, folder, claimFolder } = options;
  const { namespace } = pod.metadata;
  const gid = pod.spec.securityContext?.fsGroup ?? 0;
  const path = volume.persistentVolumeClaim
    ? claimFolder(namespace, await boundClaim(client, namespace, volume.persistentVolumeClaim.claimName))
    : join(folder, volume.name);
  if (isInMemory(volume)) return path; // the sandbox has it
  mkdirSync(path, { recursive: true });
  if (volume.emptyDir || volume.persistentVolumeClaim) {
    chownSync(path, 0, gid);
    chmodSync(path, volume.emptyDir ? 0o2777 : 0o2775);
    return path;
  }
  const files = await filesOf(volume, options);
  const { defaultMode = 0o644 } = { ...volume.configMap, ...volume.secret, ...volume.projected };
  writeMapFiles(path, files, defaultMode | (gid === 0 ? 0 : 0o040), gid);
  return path;
}

async function filesOf(volume: Volume, options: VolumeOptions): Promise<MapFile[]> {
  const { client, pod, ip, token } = options;
  const { namespace } = pod.metadata;
  const { configMap, secret, projected } = volume;
  if (configMap) return picked(await dataOf(client, "configmaps", namespace, configMap), configMap.items);
  if (secret) {
    const ref = { name: secret.secretName, optional: secret.optional };
    return picked(await dataOf(client, "secrets", namespace, ref), secret.items);
  }
  if (!projected) throw new NotYet("ContainerCreating", `the process kubelet has no such volume: ${volume.name}`);
  const files: MapFile[] = [];
  for (const { serviceAccountToken, configMap: map, secret: hidden, downwardAPI } of projected.sources) {
    if (map) files.push(...picked(await dataOf(client, "configmaps", namespace, map), map.items));
    if (hidden) files.push(...picked(await dataOf(client, "secrets", namespace, hidden), hidden.items));
    for (const { path, fieldRef } of downwardAPI?.items ?? [])
      files.push([path, Buffer.from(fieldOf(pod, ip, fieldRef.fieldPath))]);
    if (serviceAccountToken) files.push([serviceAccountToken.path, Buffer.from(await token())]);
  }
  return files;
}

const picked = (
  data: Readonly<Record<string, Buffer>> | null,
  items?: readonly { readonly key: string; readonly path: string }[],
): MapFile[] =>
  Object.entries(data ?? {}).flatMap(([key, value]): MapFile[] => {
    if (!items) return [[key, value]];
    return items.filter((item) => item.key === key).map(({ path }) => [path, value]);
  });

/** As the real one asks for it: bound to the pod, so that it dies with it. */
export async function tokenFor(client: Client, { metadata, spec }: Pod): Promise<string> {
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
