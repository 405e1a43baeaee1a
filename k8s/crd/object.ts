// A DiffusionJob as an API server holds it, and the way back to the job that a laptop reads.

import { checkJob } from "../../shared/config/load.ts";
import type { Job } from "../../shared/config/schema.ts";
import type { DiffusionJobStatus } from "./status.ts";

export const GROUP = "plume.dev";
export const VERSION = "v1alpha1";
export const KIND = "DiffusionJob";
export const PLURAL = "diffusionjobs";

export interface DiffusionJobObject {
  readonly apiVersion: `${typeof GROUP}/${typeof VERSION}`;
  readonly kind: typeof KIND;
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string;
    readonly uid?: string;
    readonly generation?: number;
    readonly resourceVersion?: string;
    readonly creationTimestamp?: string;
    readonly deletionTimestamp?: string;
    readonly labels?: Readonly<Record<string, string>>;
    readonly annotations?: Readonly<Record<string, string>>;
    readonly finalizers?: readonly string[];
  };
  /** Valid by the CRD, which asks less than the job's schema: see jobOf. */
  readonly spec: Readonly<Record<string, unknown>>;
  readonly status?: DiffusionJobStatus;
}

/** Written beside the user's own by whoever applies an object, an operator among them; no part of the job. */
const TOOLS = /^(plume\.dev|kubectl\.kubernetes\.io|[a-z.]*argoproj\.io|kustomize\.toolkit\.fluxcd\.io)\//;

/**
 * The job of an object of a cluster: the same one, to the byte of its YAML, as the file that was applied is on a laptop.
 * @throws PlumeError INVALID_ARGUMENT with every field that the CRD let pass and the job's schema does not.
 */
export function jobOf({ apiVersion, kind, metadata, spec }: Omit<DiffusionJobObject, "status">): Job {
  const { name, labels, annotations } = metadata;
  const own = Object.entries(annotations ?? {}).filter(([key]) => !TOOLS.test(key));
  return checkJob(
    {
      apiVersion,
      kind,
      metadata: {
        name,
        ...(labels && { labels }),
        ...(own.length > 0 && { annotations: Object.fromEntries(own) }),
      },
      spec,
    },
    `DiffusionJob ${metadata.namespace ?? "default"}/${name}`,
  );
}
