// What a run looks like from outside: one view for the progress line, `plume ctl status` and whoever watches.

import type { MemberView, RunStatus, Wish } from "../../shared/bus/events.ts";
import type { JobSpec } from "../../shared/config/schema.ts";
import type { Accounts } from "../accounting/accounts.ts";
import type { Lease } from "../aggregation/round.ts";
import type { Membership } from "../membership/members.ts";
import type { Progress } from "./progress.ts";

export interface StatusOptions {
  readonly job: string;
  readonly incarnation: number;
  readonly spec: JobSpec;
  readonly progress: Progress;
  readonly accounts: Accounts;
  readonly membership: Membership;
  readonly leases: () => readonly Lease[];
  /** How many workers the job would like. */
  readonly wish?: () => Wish | undefined;
  /** Where the run's page is, once it is there. */
  readonly page: () => string | undefined;
  readonly now: () => number;
}

export interface StatusView {
  members(): MemberView[];
  status(): RunStatus;
}

export function createStatus(options: StatusOptions): StatusView {
  const { job, incarnation, spec, progress, accounts, membership, leases, page, now } = options;
  const wish = options.wish ?? (() => undefined);
  const { min, max } = spec.workers;

  const members = (): MemberView[] => {
    const all = [...membership.members.values()];
    const accepted = all.reduce((sum, { microBatches }) => sum + microBatches, 0);
    const queued = new Map<string, number>();
    for (const { worker, block, done } of leases())
      queued.set(worker, (queued.get(worker) ?? 0) + block.hi - block.lo - done);
    return all.map(({ id, phase, device, transport, speed, suspect, microBatches, lastHeardMs, pulled }) => ({
      workerId: id,
      phase,
      device,
      transport,
      imagesPerSecond: (speed ?? 0) * spec.training.microBatch,
      heartbeatAgeMs: now() - lastHeardMs,
      share: accepted > 0 ? microBatches / accepted : 0,
      suspect: suspect ?? "",
      queued: queued.get(id) ?? 0,
      ...(pulled === null ? {} : { pulled }),
    }));
  };

  return {
    members,
    status: () => ({
      job,
      ...progress.view(),
      workers: membership.members.size,
      members: members(),
      incarnation,
      desired: accounts.desired,
      min,
      max,
      wish: wish(),
      ...accounts.view(),
      saves: accounts.saves,
      page: page(),
    }),
  };
}
