// What became of samples: used once each, whatever happened to those who computed them.

import { counter } from "../metric.ts";
import { COPY_PURPOSES, ofRun } from "./source.ts";

export const samples = ofRun(
  {
    committed: counter(
      "plume_samples_committed_total",
      "Samples of committed steps, of the whole job, by the ledger; no reset when the coordinator restarts.",
    ),
    byWorker: counter("plume_worker_samples_total", "Samples of committed steps by who computed them.", {
      worker: null,
    }),
    reassigned: counter(
      "plume_samples_reassigned_total",
      "Samples taken from a worker that could not finish them, and given to another.",
    ),
    discarded: counter("plume_samples_discarded_total", "Samples computed and not used: late, twice, or wrong."),
    copied: counter("plume_samples_copied_total", "Samples computed a second time on purpose.", {
      purpose: COPY_PURPOSES,
    }),
    duplicate: counter(
      "plume_samples_duplicate_total",
      "Samples that went into the parameters twice: leaves of a step that two results claim, and steps committed again. Must stay 0.",
    ),
  },
  (m, { spec }) => {
    const { microBatch, globalBatch } = spec.training;
    const byWorker = new Map<string, number>();
    let newest = -1;
    return {
      event(event) {
        if (event.kind !== "step") return;
        const { step, blocks } = event;
        for (const { lo, hi, worker } of blocks) count(byWorker, worker, (hi - lo) * microBatch);
        const leaves = blocks.reduce((sum, { lo, hi }) => sum + hi - lo, 0);
        const distinct = new Set(blocks.flatMap(({ lo, hi }) => Array.from({ length: hi - lo }, (_, k) => lo + k)));
        m.duplicate.add((leaves - distinct.size) * microBatch + (step <= newest ? globalBatch : 0));
        newest = Math.max(newest, step);
      },
      scrape({ status, facts }) {
        m.committed.total(facts.committedSteps * globalBatch);
        m.reassigned.total(facts.work.reassigned * microBatch);
        m.discarded.total(facts.work.discarded * microBatch);
        for (const purpose of COPY_PURPOSES) m.copied.total(facts.work.copied[purpose] * microBatch, { purpose });
        forgetOldest(byWorker, new Set(status.members.map(({ workerId }) => workerId)), status.max);
        m.byWorker.clear();
        for (const [worker, total] of byWorker) m.byWorker.total(total, { worker });
      },
    };
  },
);

function count(totals: Map<string, number>, worker: string, more: number): void {
  const before = totals.get(worker) ?? 0;
  totals.delete(worker); // the newest come last
  totals.set(worker, before + more);
}

/** Names are slots that come back; where they are not, those who left longest ago make room. */
function forgetOldest(totals: Map<string, number>, present: ReadonlySet<string>, room: number): void {
  for (const worker of [...totals.keys()])
    if (totals.size > present.size + room && !present.has(worker)) totals.delete(worker);
}
