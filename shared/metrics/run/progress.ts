// How far the run is, and what it is doing.

import { PHASES } from "../../bus/events.ts";
import { samplesOf } from "../../config/turns.ts";
import { counter, gauge } from "../metric.ts";
import { ofRun } from "./source.ts";

export const progress = ofRun(
  {
    step: gauge("plume_step", "Committed steps that the parameters have behind them; goes back when steps are redone."),
    target: gauge("plume_target_steps", "Steps of the whole job."),
    epoch: gauge("plume_epoch", "Epoch of the next sample, from 0."),
    within: gauge("plume_epoch_progress_ratio", "Share of the epoch that is used."),
    eta: gauge("plume_eta_seconds", "Time left at the present speed; none when nothing moves."),
    steps: counter(
      "plume_steps_total",
      "Optimizer steps. committed: of the whole job, by the ledger, without a reset when the coordinator restarts. discarded: lost in a crash and computed again, since this process began.",
      { result: ["committed", "discarded"] },
    ),
    condition: gauge("plume_job_condition", "1 for the phase that the job is in, 0 for the others.", {
      condition: PHASES,
    }),
  },
  (m, { spec, datasetSize, committedBefore }) => {
    const { steps } = spec.training;
    m.target.set(steps);
    return {
      event(event) {
        if (event.kind === "step" && event.step < committedBefore) m.steps.add(1, { result: "discarded" });
      },
      scrape({ status, facts }) {
        const samples = samplesOf(spec, status.step);
        m.step.set(status.step);
        m.epoch.set(Math.floor(samples / datasetSize));
        m.within.set((samples % datasetSize) / datasetSize);
        m.eta.set(status.etaSeconds > 0 ? status.etaSeconds : null);
        m.steps.total(facts.committedSteps, { result: "committed" });
        for (const condition of PHASES) m.condition.set(condition === status.phase ? 1 : 0, { condition });
      },
    };
  },
);
