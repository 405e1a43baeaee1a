// Does what a job has trained outlive its coordinator's pod? Where it does not, that pod is never taken away: not at the end,
// not to suspend the job, and not for an edit.

import { parse } from "yaml";
import type { ConfigMap } from "./objects.ts";
import { configMapsOf, type Observed, setOf } from "./observed.ts";

export const WHY_NOT =
  "its checkpoints are in its coordinator's pod alone and would be lost with it; a job with checkpoint.store s3://… or kubernetes.storage can be suspended";

/** On an object store, or in a volume of the cluster: by the file that the coordinator has, which is not always the newest. */
export function outlivesPod({ reading, children }: Pick<Observed, "reading" | "children">): boolean {
  const asked = reading.kind === "valid" ? reading.job.spec : undefined;
  const set = setOf(children, "coordinator");
  if (!set) return asked?.kubernetes.storage !== undefined || isOutside(asked?.checkpoint.store);
  if ((set.spec.volumeClaimTemplates ?? []).length > 0) return true;
  const [name] = configMapsOf(set.spec.template.spec);
  const map = children.find(({ kind, metadata }) => kind === "ConfigMap" && metadata.name === name) as
    | ConfigMap
    | undefined;
  return isOutside(map ? storeIn(map) : asked?.checkpoint.store);
}

const isOutside = (store: string | undefined): boolean => store?.startsWith("s3://") ?? false;

/** Every pass asks; a file is read once. */
function storeIn(map: ConfigMap): string | undefined {
  if (stores.has(map)) return stores.get(map);
  const file = parse(map.data?.["job.yaml"] ?? "") as { spec?: { checkpoint?: { store?: string } } } | null;
  const store = file?.spec?.checkpoint?.store;
  stores.set(map, store);
  return store;
}

const stores = new WeakMap<ConfigMap, string | undefined>();
