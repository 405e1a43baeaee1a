// What metrics ask of a run, for tests whose run has done nothing yet.

import type { RunView } from "../../coordinator/onlooker.ts";
import type { JobSpec } from "../../shared/config/schema.ts";

export const idleFacts = (spec: JobSpec): Pick<RunView, "context" | "facts" | "workerTargets"> => ({
  context: { spec, datasetSize: 256, committedBefore: 0, epochMs: Date.now },
  facts: () => ({
    committedSteps: 0,
    secondsByState: {},
    checkpointStep: null,
    work: { reassigned: 0, discarded: 0, copied: { speculation: 0, audit: 0, settle: 0 } },
    flows: [],
    gradientRawBytes: 0,
    saveBufferBytes: 0,
  }),
  workerTargets: () => [],
});
