// What `plume ctl status` prints: where the run is and why, who works, what went wrong, where the time went.

import type { MemberView, Recovery, Saves } from "../../shared/bus/events.ts";
import type { Decision, StatusReport } from "../../shared/control/verbs.ts";
import { byName, stateCounts, stateOf } from "./members.ts";
import { duration } from "./progress/words.ts";
import { table } from "./table.ts";

/** Decisions shown, the newest; `--json` has all that are kept. */
const SHOWN = 8;

export function statusText(status: StatusReport): string {
  const { job, phase, reason, step, steps, loss, imagesPerSecond, etaSeconds, incarnation } = status;
  const percent = steps > 0 ? ` (${((100 * step) / steps).toFixed(0)} %)` : "";
  const rows = [
    ["job", `${job}, coordinator incarnation ${incarnation}`],
    ["phase", `${phase}: ${reason}`],
    ["step", `${step} of ${steps}${percent}, loss ${Number.isFinite(loss) ? loss.toFixed(4) : "-"}`],
    ["speed", `${imagesPerSecond.toFixed(0)} images/s, time left ${duration(etaSeconds)}`],
    ["workers", workersLine(status)],
    ["time", timeLine(status)],
    ["recoveries", recoveriesLine(status.recoveries)],
    ["checkpoints", savesLine(status.saves)],
    ...(status.unsaved ? [["not saved", status.unsaved]] : []),
    ...(status.page ? [["page", status.page]] : []),
  ];
  const parts = [table(rows)];
  if (status.members.length > 0) parts.push(membersTable(status.members));
  if (status.decisions.length > 0) parts.push(decisionsTable(status.decisions.slice(-SHOWN)));
  return parts.join("\n\n");
}

function workersLine({ members, desired, min, max, wish }: StatusReport): string {
  const liked = wish ? `; the job would like ${wish.workers}: ${wish.reason}` : "";
  return `${stateCounts(members) || "none"}; ${desired} asked for, ${min} to ${max} allowed${liked}`;
}

function timeLine({ secondsByState, wallSeconds, goodput }: StatusReport): string {
  const shares = Object.entries(secondsByState)
    .filter(([, seconds]) => seconds >= 0.05)
    .sort(([, a], [, b]) => b - a)
    .map(([state, seconds]) => `${state} ${seconds.toFixed(1)} s`);
  return `${wallSeconds.toFixed(1)} s, goodput ${goodput.toFixed(3)}: ${shares.join(", ")}`;
}

function recoveriesLine(recoveries: readonly Recovery[]): string {
  if (recoveries.length === 0) return "none";
  const { subject, seconds, step } = recoveries.at(-1)!;
  return `${recoveries.length}${recoveries.length === 20 ? " or more" : ""}; the last: ${subject}, ${seconds.toFixed(1)} s until step ${step} was committed`;
}

function savesLine(saves: Saves): string {
  const { written, failed, retried, stallSeconds, passedOver } = saves;
  const parts = [`${written} written, ${failed} failed, ${retried} tried again`];
  parts.push(`training waited ${stallSeconds.toFixed(2)} s for them`);
  if (passedOver > 0) parts.push(`${passedOver} damaged and passed over at the start`);
  return parts.join("; ");
}

function membersTable(members: readonly MemberView[]): string {
  const head = ["worker", "state", "heard", "share", "speed", "holds", "device"];
  const rows = [...members].sort(byName).map((member) => {
    const { workerId, heartbeatAgeMs, share, imagesPerSecond, queued, device, transport, suspect, pulled } = member;
    const state = pulled === undefined ? stateOf(member) : `${stateOf(member)}, pulling ${(100 * pulled).toFixed(0)} %`;
    return [
      workerId,
      suspect ? `${state} (${suspect})` : state,
      `${(heartbeatAgeMs / 1000).toFixed(1)} s ago`,
      `${(100 * share).toFixed(0)} %`,
      `${imagesPerSecond.toFixed(0)} images/s`,
      `${queued}`,
      device ? `${device}, ${transport}` : "",
    ];
  });
  return table([head, ...rows]);
}

function decisionsTable(decisions: readonly Decision[]): string {
  const rows = decisions.map(({ atMs, decision, subject, reason }) => [
    new Date(atMs).toISOString().slice(11, 19),
    decision,
    subject,
    reason,
  ]);
  return `newest decisions\n${table(rows.map((row) => ["", ...row]))}`;
}
