// Does what a job has trained outlive its coordinator's pod? Where it does not, that pod is never taken away: not at the end,
// and not to suspend the job.

import type { Job } from "../../shared/config/schema.ts";

/** On an object store, or in a volume of the cluster. */
export const outlivesPod = ({ spec: { checkpoint, kubernetes } }: Job): boolean =>
  kubernetes.storage !== undefined || (checkpoint.store?.startsWith("s3://") ?? false);

export const WHY_NOT =
  "its checkpoints are in its coordinator's pod alone and would be lost with it; a job with checkpoint.store s3://… or kubernetes.storage can be suspended";
