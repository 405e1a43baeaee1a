// How a run stands, on the wire and off it.

import type { Status } from "../../proto/gen/plume/v1/control.ts";
import type { Phase } from "../bus/events.ts";
import type { StatusReport } from "../control/verbs.ts";

export function wireOf(report: StatusReport): Status {
  const { members, secondsByState, recoveries, decisions, checkpoint, weightsSha256, emaSha256, wish, unsaved } =
    report;
  return {
    ...report,
    members: [...members],
    secondsByState: { ...secondsByState },
    recoveries: [...recoveries],
    decisions: [...decisions],
    page: report.page ?? "",
    checkpoint: checkpoint ?? undefined,
    wish: wish && { ...wish, leastSeconds: wish.leastSeconds ?? undefined },
    weightsSha256: weightsSha256 ?? "",
    emaSha256: emaSha256 ?? "",
    unsaved: unsaved ?? "",
  };
}

/** As the coordinator made it. */
export function reportOf(status: Status): StatusReport {
  const { phase, saves, members, recoveries, checkpoint, weightsSha256, emaSha256, wish, unsaved, ...rest } = status;
  return {
    ...rest,
    phase: phase as Phase,
    saves: saves!,
    members: members.map(({ pulled, ...member }) => (pulled === undefined ? member : { ...member, pulled })),
    ...(wish && { wish: { ...wish, leastSeconds: wish.leastSeconds ?? null } }),
    checkpoint: checkpoint ?? null,
    weightsSha256: weightsSha256 || null,
    emaSha256: emaSha256 || null,
    unsaved: unsaved || null,
    recoveries: recoveries as StatusReport["recoveries"],
  };
}
