// What names resolve to in a namespace: services to the addresses of their pods, pods of a set to their own. Written to the
// file that is mounted over its pods' /etc/hosts, as a cluster's DNS would answer.

import { closeSync, existsSync, ftruncateSync, openSync, writeFileSync, writeSync } from "node:fs";
import type { Pod } from "./objects.ts";

export interface Service {
  readonly metadata: { readonly name: string; readonly namespace: string };
  readonly spec: { readonly selector?: Readonly<Record<string, string>>; readonly publishNotReadyAddresses?: boolean };
}

export interface NamedPod {
  readonly pod: Pod;
  readonly ip: string;
  readonly ready: boolean;
}

export function hostsOf(namespace: string, services: readonly Service[], pods: readonly NamedPod[]): string {
  const lines = ["127.0.0.1 localhost"];
  const add = (ip: string, name: string) =>
    lines.push(`${ip} ${name} ${name}.${namespace} ${name}.${namespace}.svc ${name}.${namespace}.svc.cluster.local`);
  for (const { metadata, spec } of services) {
    const { selector, publishNotReadyAddresses = false } = spec;
    if (metadata.namespace !== namespace || !selector) continue;
    for (const { pod, ip, ready } of pods) {
      const labels = pod.metadata.labels ?? {};
      const isOurs = pod.metadata.namespace === namespace && pod.metadata.deletionTimestamp === undefined;
      if (!isOurs || !Object.entries(selector).every(([key, value]) => labels[key] === value)) continue;
      if (ready || publishNotReadyAddresses) add(ip, metadata.name);
      if (pod.spec.subdomain === metadata.name) add(ip, `${pod.spec.hostname}.${metadata.name}`);
    }
  }
  return `${lines.join("\n")}\n`;
}

/** In place and without a moment in which it is empty: it is mounted as a file, and may be read at any time. */
export function writeHosts(file: string, text: string): void {
  if (!existsSync(file)) writeFileSync(file, text);
  const handle = openSync(file, "r+");
  writeSync(handle, text, 0);
  ftruncateSync(handle, Buffer.byteLength(text));
  closeSync(handle);
}
