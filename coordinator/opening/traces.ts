// What a run leaves behind: its lock, its folder, the log, the ledger, and the accounts that the next incarnation goes on
// from. The first that is written of a run.

import { rmSync } from "node:fs";
import { openLedger } from "../../shared/ledger/ledger.ts";
import { acquireRunLock } from "../../shared/run-lock/lock.ts";
import { PLUME_VERSION } from "../../shared/version.ts";
import { createAccounts } from "../accounting/accounts.ts";
import { openRunFolder } from "../files/run-folder.ts";
import { createDecisionLog } from "../reporting/decisions.ts";
import type { CoordinatorOptions } from "./options.ts";
import type { Training } from "./training.ts";

export type Traces = Awaited<ReturnType<typeof openTraces>>;

export async function openTraces(options: CoordinatorOptions, training: Training) {
  const { job, out, recovering, clock, openLog } = options;
  const { set, firstStep, from, vectors, snapshotFolder, warnings } = training;
  const { name } = job.metadata;
  const lock = acquireRunLock(out, { job: name, version: PLUME_VERSION });
  const { incarnation } = lock;
  const folder = openRunFolder(out, job, set, firstStep);
  const log = openLog();
  await vectors.join(name, incarnation, (index) => folder.file("logs", `reducer-${index}.log`));
  for (const warning of warnings) log.warn(warning);
  const ledger = openLedger(folder.file("ledger.ndjson"), firstStep);
  if (from !== "snapshot") rmSync(snapshotFolder, { recursive: true, force: true });
  const decisions = createDecisionLog(log, Date.now);

  // Where the time goes, and what was asked of the run: kept for the next incarnation, if this one dies.
  const accounts = createAccounts({
    file: folder.file("journal.json"),
    recovering,
    firstStep,
    replayUntil: firstStep + ledger.cut.size,
    steps: job.spec.training.steps,
    desired: job.spec.workers.replicas,
    now: () => clock.now(),
    epochMs: Date.now,
  });
  if (recovering)
    decisions.note(
      "recover",
      `incarnation ${incarnation}`,
      `from the ${from} of step ${firstStep}; ${ledger.cut.size} committed steps are computed again`,
    );
  return { lock, incarnation, folder, log, ledger, decisions, accounts };
}
