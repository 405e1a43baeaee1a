// An edit that waits, because what it asks for would cost what was trained. Pure.
//
// I1. An edit of a job's pods replaces its coordinator's. Where that pod alone has the checkpoints, somebody says first that
//     they may go: by deleting it. Workers are resized meanwhile, and nothing else changes.

import { driftOf } from "./drift.ts";
import type { Pod, StatefulSet } from "./objects.ts";
import { isOf, type Observed, setOf } from "./observed.ts";
import { outlivesPod } from "./outlives.ts";

/** @returns why the edit waits, with what to do; null where there is none, or nothing would be lost by it. */
export function heldEdit(observed: Observed): string | null {
  const { job, reading, children, pods, said } = observed;
  const is = setOf(children, "coordinator");
  const wanted = reading.kind === "valid" ? setOf(reading.objects, "coordinator") : undefined;
  const pod = pods.find((each) => isOf(each, "coordinator") && !each.metadata.deletionTimestamp && hasRun(each));
  const step = said.kind === "answered" ? said.report.step : (job.status?.step ?? 0);
  if (!pod || step === 0 || outlivesPod(observed)) return null;
  if (!is || !wanted || !replacesPods(wanted, is)) return null; // the dearest question last: every pass asks
  const { name } = pod.metadata;
  return (
    `the edit waits: it would replace the pod ${name}, and the only checkpoints are in there (it is at step ${step}). ` +
    `"kubectl delete pod ${name}" gives them up and lets the edit in; to go on from them, first ` +
    `"kubectl exec ${name} -- plume checkpoints cp /var/lib/plume s3://BUCKET/PREFIX", with that as checkpoint.store`
  );
}

function replacesPods(wanted: StatefulSet, is: StatefulSet): boolean {
  const spec: Record<string, unknown> = { ...wanted.spec };
  for (const key of Object.keys(spec)) if (key !== "template") spec[key] = (is.spec as unknown as typeof spec)[key];
  return driftOf({ ...wanted, spec } as StatefulSet, is)?.startsWith("spec.template") ?? false;
}

const hasRun = ({ status }: Pod): boolean =>
  (status?.containerStatuses ?? []).some(
    ({ state, lastState }) => state?.running || state?.terminated || lastState?.terminated,
  );
