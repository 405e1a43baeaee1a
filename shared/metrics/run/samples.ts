// What became of samples: used once each, whatever happened to those who computed them.

import { samplesOf } from "../../config/turns.ts";
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
    const byWorker = new Map<string, Tally>();
    let newest = -1;
    return {
      event(event) {
        if (event.kind !== "step") return;
        const { step, blocks } = event;
        for (const { lo, hi, worker } of blocks) count(byWorker, worker, (hi - lo) * microBatch, step);
        m.duplicate.add(overlap(blocks) * microBatch + (step <= newest ? globalBatch : 0));
        newest = Math.max(newest, step);
      },
      scrape({ status, facts }) {
        m.committed.total(samplesOf(spec, facts.committedSteps));
        m.reassigned.total(facts.work.reassigned * microBatch);
        m.discarded.total(facts.work.discarded * microBatch);
        for (const purpose of COPY_PURPOSES) m.copied.total(facts.work.copied[purpose] * microBatch, { purpose });
        forgetOldest(byWorker, new Set(status.members.map(({ workerId }) => workerId)), status.max);
        m.byWorker.clear();
        for (const [worker, { samples }] of byWorker) m.byWorker.total(samples, { worker });
      },
    };
  },
);

interface Tally {
  samples: number;
  /** The newest that it took part in. */
  step: number;
}

function count(tallies: Map<string, Tally>, worker: string, samples: number, step: number): void {
  const tally = tallies.get(worker);
  if (!tally) return void tallies.set(worker, { samples, step });
  tally.samples += samples;
  tally.step = step;
}

/** Names are slots that come back; where they are not, those who left longest ago make room. */
function forgetOldest(tallies: Map<string, Tally>, present: ReadonlySet<string>, room: number): void {
  const excess = tallies.size - present.size - room;
  if (excess <= 0) return;
  const gone = [...tallies].filter(([worker]) => !present.has(worker)).sort(([, a], [, b]) => a.step - b.step);
  for (const [worker] of gone.slice(0, excess)) tallies.delete(worker);
}

/** Leaves that more than one block has. */
function overlap(blocks: readonly { readonly lo: number; readonly hi: number }[]): number {
  let twice = 0;
  let end = 0;
  for (const { lo, hi } of [...blocks].sort((a, b) => a.lo - b.lo)) {
    twice += Math.max(0, Math.min(end, hi) - lo);
    end = Math.max(end, hi);
  }
  return twice;
}
