// The site of a coordinator over everything that it shows and asks, without a run behind it: bus, event log, desk, commands,
// accounts and membership are the real ones; steps are published by the test.

import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createAccounts } from "../../coordinator/accounting/accounts.ts";
import { createCommands } from "../../coordinator/control/commands.ts";
import { createDesk } from "../../coordinator/control/desk.ts";
import { createHold } from "../../coordinator/control/hold.ts";
import { openToAll } from "../../coordinator/http/provider.ts";
import { createSite, type SiteOptions } from "../../coordinator/http/site.ts";
import { createMembership } from "../../coordinator/membership/members.ts";
import { createMetrics } from "../../coordinator/metrics/metrics.ts";
import type { Onlooker } from "../../coordinator/onlooker.ts";
import { createDecisionLog } from "../../coordinator/reporting/decisions.ts";
import { createProgress } from "../../coordinator/reporting/progress.ts";
import { createStatus } from "../../coordinator/reporting/status.ts";
import { type Bus, createBus } from "../../shared/bus/bus.ts";
import { openEventLog } from "../../shared/bus/event-log.ts";
import type { RunEvent } from "../../shared/bus/events.ts";
import { parseJob } from "../../shared/config/load.ts";
import { createLog } from "../../shared/log.ts";
import { idleFacts } from "./run-facts.ts";

export interface OpenedSite {
  readonly site: Onlooker;
  readonly url: string;
  readonly bus: Bus;
  readonly paused: () => string | null;
  close(): Promise<void>;
}

export interface OpenSiteOptions extends Partial<SiteOptions> {
  readonly folder: string;
  readonly set?: readonly string[];
  readonly incarnation?: number;
}

export async function openSite({
  folder,
  set = [],
  incarnation = 1,
  ...options
}: OpenSiteOptions): Promise<OpenedSite> {
  const job = parseJob("metadata: { name: tiny }\nspec: { data: { source: 'shapes:' } }", { set });
  const { spec } = job;
  mkdirSync(join(folder, "samples"), { recursive: true });
  const site = createSite({ token: null, providers: [openToAll((view) => createMetrics(view).routes)], ...options });
  await site.open(job);
  const log = createLog({ role: "coordinator" }, { file: join(folder, "logs/coordinator.log") });
  const bus = createBus((err) => log.error({ err }, "a subscriber failed"));
  const now = () => performance.now();
  const events = openEventLog({
    file: join(folder, "events.ndjson"),
    incarnation,
    bus,
    epochMs: Date.now,
    onListenerError: (err) => log.error({ err }, "a subscriber failed"),
  });
  const accounts = createAccounts({
    file: join(folder, "journal.json"),
    recovering: false,
    firstStep: 0,
    replayUntil: 0,
    steps: spec.training.steps,
    desired: 2,
    now,
    epochMs: Date.now,
  });
  const decisions = createDecisionLog(log, Date.now);
  const progress = createProgress(spec, 0, now);
  bus.subscribe(progress.observe);
  progress.setPhase("Training", "2 workers ready");
  const membership = createMembership({
    policy: { min: 1, max: 8, heartbeatMs: 1_000, deadlineMs: 60_000, joinMs: 60_000, numerics: "strict" },
    version: "test",
    specDigest: "",
    layoutDigest: "",
    dataDigest: "",
    now,
    onChange: () => {},
  });
  const view = createStatus({
    job: "tiny",
    incarnation,
    spec,
    progress,
    accounts,
    membership,
    leases: () => [],
    page: () => site.page?.url,
    now,
  });
  const hold = createHold(null);
  const commands = createCommands({
    job: "tiny",
    bus,
    hold,
    spec,
    decisions,
    accounts,
    phase: () => progress.view().phase,
    supervisor: { scale: () => {} },
    checkpoint: async () => ({ step: progress.view().step, written: true, reason: null }),
  });
  const report = () => ({
    ...view.status(),
    recoveries: [],
    decisions: [...decisions.newest],
    checkpoint: null,
    weightsSha256: null,
    emaSha256: null,
    unsaved: null,
    over: false,
  });
  const desk = createDesk({ commands, report, stop: () => true, bus });
  await site.attach({
    job,
    incarnation,
    folder,
    status: view.status,
    report,
    ...idleFacts(spec),
    warnings: [],
    bus,
    events,
    desk,
    log,
  });
  return {
    site,
    url: site.page!.url,
    bus,
    paused: () => hold.paused,
    async close() {
      await site.close();
      accounts.close(true);
    },
  };
}

/** A committed step as the run tells it: a loss that falls, two workers who share four micro-batches. */
export function stepEvent(step: number): Extract<RunEvent, { kind: "step" }> {
  return {
    kind: "step",
    step,
    loss: 1 / (1 + step / 500) + 0.1 * Math.abs(Math.sin(step * 12.9898)),
    gradNorm: 1 + Math.abs(Math.cos(step)),
    lr: 1e-3,
    workers: 2,
    skipped: false,
    imagesPerSecond: 500 + 50 * Math.sin(step),
    seconds: {
      total: 0.1,
      gather: 0.09,
      compute: 0.08,
      pull: 0,
      data: 0,
      handover: 0.01,
      reduce: 0,
      optimize: 0,
      publish: 0.01,
    },
    blocks: [
      { lo: 0, hi: 2, worker: "worker-0" },
      { lo: 2, hi: 4, worker: "worker-1" },
    ],
  };
}

/** What a run of so many steps has left in its folder. */
export function writeHistory(folder: string, steps: number): void {
  const events = Array.from({ length: steps }, (_, step) => stepEvent(step));
  const lines = (of: (event: ReturnType<typeof stepEvent>) => object) =>
    events.map((event) => `${JSON.stringify(of(event))}\n`).join("");
  writeFileSync(
    join(folder, "metrics.ndjson"),
    lines(({ kind: _, blocks: __, ...measured }) => measured),
  );
  writeFileSync(
    join(folder, "ledger.ndjson"),
    lines(({ step, blocks }) => ({ step, blocks })),
  );
}
