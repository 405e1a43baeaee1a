// The job as its ConfigMap holds it. Its text is its name (hash.ts), and its name is in the coordinator's pod template: what
// changes it restarts the coordinator.
//
// I1. Read again, it is the same job, but for `workers.replicas`, `suspend` and `kubernetes`: those are the cluster's, change
//     while a run goes on, and are told to nobody by this text.
// I2. What is at its default is left out: a release that knows more fields gives the same text.

import { stringify } from "yaml";
import { checkJob } from "../../shared/config/load.ts";
import type { Job, JobSpec } from "../../shared/config/schema.ts";

/** YAML in the block style. */
export function jobText({ apiVersion, kind, metadata: { name }, spec }: Job): string {
  const { suspend: _, kubernetes: __, ...told } = spec;
  const defaults = defaultsOf(name, spec.data.source);
  const replicas = replicasFor(spec.workers, defaults.workers.replicas);
  const sparse = without({ ...told, workers: { ...told.workers, replicas } }, defaults);
  return stringify({
    apiVersion,
    kind,
    metadata: { name },
    spec: { ...sparse, data: { source: spec.data.source, ...sparse.data } },
  });
}

/** Some number that the schema allows beside these: the worker set has the one that counts. */
function replicasFor({ perPod, max }: JobSpec["workers"], usual: number): number {
  return usual <= max && usual % perPod === 0 ? usual : perPod;
}

const defaultsOf = (name: string, source: string): JobSpec =>
  checkJob({ metadata: { name }, spec: { data: { source } } }, name).spec;

type Group = Readonly<Record<string, unknown>>;

function without(group: Group, defaults: Group): Record<string, Group> {
  const left: [string, unknown][] = [];
  for (const [key, value] of Object.entries(group)) {
    const fallback = defaults[key];
    if (isGroup(value) && isGroup(fallback)) {
      const rest = without(value, fallback);
      if (Object.keys(rest).length > 0) left.push([key, rest]);
    } else if (value !== undefined && JSON.stringify(value) !== JSON.stringify(fallback)) left.push([key, value]);
  }
  return Object.fromEntries(left) as Record<string, Group>;
}

const isGroup = (value: unknown): value is Group =>
  typeof value === "object" && value !== null && !Array.isArray(value);
