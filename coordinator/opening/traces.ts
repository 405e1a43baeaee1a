// What a run leaves behind: its lock, its folder, the log, the ledger, and the accounts that the next incarnation goes on
// from. The first that is written of a run.

import { rmSync } from "node:fs";
import { openEventLog } from "../../shared/bus/event-log.ts";
import { restoreLedger } from "../../shared/checkpoint/ledger-chain.ts";
import { openLedgerCopy } from "../../shared/ledger/copy.ts";
import { openLedger, stepsInLedger } from "../../shared/ledger/ledger.ts";
import { acquireRunLock } from "../../shared/run-lock/lock.ts";
import { PLUME_VERSION } from "../../shared/version.ts";
import { createAccounts } from "../accounting/accounts.ts";
import { JOURNAL } from "../accounting/journal.ts";
import { DATA_INDEX, openRunFolder } from "../files/run-folder.ts";
import { createDecisionLog } from "../reporting/decisions.ts";
import { createStepTracer } from "../training/step-tracer.ts";
import type { CoordinatorOptions } from "./options.ts";
import type { Training } from "./training.ts";

export type Traces = Awaited<ReturnType<typeof openTraces>>;

export async function openTraces(options: CoordinatorOptions, training: Training) {
  const { job, out, recovering, clock, bus, openLog } = options;
  const { set, dataIndex, firstStep, from, vectors, snapshotFolder, warnings, blemishes, passedOver } = training;
  const { name } = job.metadata;
  const lock = acquireRunLock(out, { job: name, version: PLUME_VERSION });
  const { incarnation } = lock;
  const folder = openRunFolder(out, job, set, firstStep, Date.now);
  if (dataIndex) folder.write(DATA_INDEX, dataIndex);
  const log = openLog(incarnation);
  const ofRun = { job: name, incarnation, metricsHost: options.metricsHost ?? job.spec.monitoring.host };
  const reducerMetrics = await vectors.join(ofRun, (index) => folder.file("logs", `reducer-${index}.log`));
  const chain = await restoreMissing(training, folder.file("ledger.ndjson"));
  for (const warning of warnings) log.warn(warning);
  const ledger = openLedger(folder.file("ledger.ndjson"), firstStep);
  if (from !== "snapshot") rmSync(snapshotFolder, { recursive: true, force: true });
  const decisions = createDecisionLog(log, Date.now);
  const events = openEventLog({
    file: folder.file("events.ndjson"),
    incarnation,
    bus,
    epochMs: Date.now,
    onListenerError: (error) => log.error({ err: error }, "a subscriber failed"),
  });

  // Where the time goes, and what was asked of the run: kept for the next incarnation, if this one dies.
  const accounts = createAccounts({
    file: folder.file(JOURNAL),
    recovering,
    firstStep,
    replayUntil: firstStep + ledger.cut.size,
    steps: job.spec.training.steps,
    desired: options.asked?.workers ?? job.spec.workers.replicas,
    paused: options.asked?.paused ?? null,
    now: () => clock.now(),
    epochMs: Date.now,
  });
  for (const reason of blemishes) accounts.blemish(reason);
  accounts.saved({ passedOver });
  if (recovering)
    decisions.note(
      "recover",
      `incarnation ${incarnation}`,
      `from the ${from} of step ${firstStep}; ${ledger.cut.size} committed steps are computed again`,
    );
  const tracer = createStepTracer(options.tracer, name, incarnation);
  return { lock, reducerMetrics, incarnation, folder, log, ledger, chain, decisions, events, accounts, tracer };
}

/** A folder that lacks the ledger up to the first step gets the one that came with the checkpoint. @returns what is whole of it. */
async function restoreMissing({ store, chain, firstStep, warnings }: Training, file: string) {
  if (chain.length === 0 || (stepsInLedger(file) ?? 0) >= firstStep) return chain;
  const copy = openLedgerCopy(file);
  try {
    const { whole, faults } = await restoreLedger(store, chain, copy);
    copy.keep();
    for (const fault of faults)
      warnings.push(`a piece of the ledger is lost, and with it the proof of all before: ${fault}`);
    return whole;
  } finally {
    copy.close();
  }
}
