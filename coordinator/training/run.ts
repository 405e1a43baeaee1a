// The life of a run: steps until the last one, with checkpoints, pictures and pauses in between. Reads top to bottom.
// Owns the order of things; the step, the rounds, the members and the files are other rooms' affair.

import type { Phase } from "../../shared/bus/events.ts";
import type { Checkpointer } from "../checkpointing/checkpointer.ts";
import type { RunOutcome } from "../reporting/summary.ts";
import type { Gallery } from "./gallery.ts";
import { publishParams, type StepContext, trainStep } from "./step.ts";

export interface RunContext extends StepContext {
  readonly checkpointer: Checkpointer;
  /** Saves to the run's folder when one is due. */
  readonly snapshot: (step: number) => Promise<void>;
  readonly gallery: Gallery;
  readonly setPhase: (phase: Phase, reason: string) => void;
  /** The process outlives the run: one that finds nothing left to do has no workers to draw with, and needs none. */
  readonly lingers: boolean;
}

/** Trains from `firstStep` (the number of committed steps) to the end, or until `stop` is aborted. */
export async function run(context: RunContext, firstStep: number, stop: AbortSignal): Promise<RunOutcome> {
  const { job, dispatcher, checkpointer, snapshot, gallery, hold, setPhase } = context;
  const { training, checkpoint, sampling } = job.spec;
  let lastLoss = Number.NaN;
  let sampleGrid: string | null = null;
  let step = firstStep;
  await context.serve(step);
  await publishParams(context, step);

  while (step < training.steps && !stop.aborted) {
    if (hold.paused !== null) {
      setPhase("Paused", hold.paused);
      // A pause may outlast the pod, and then nothing else of these steps would be left.
      if (context.lingers) await saveCheckpoint(context);
    }
    await hold.passed(stop);
    const trained = stop.aborted ? null : await trainStep(context, step, stop);
    if (!trained) break;
    lastLoss = trained.loss;
    step++;
    const last = step === training.steps;
    if (!last && step % checkpoint.everySteps === 0) await saveCheckpoint(context);
    else if (!last) await hold.exclusive(() => snapshot(step));
    if (!last && sampling.everySteps > 0 && step % sampling.everySteps === 0)
      sampleGrid = await gallery.draw(step, stop);
  }

  const kind = step === training.steps ? "complete" : "stopped";
  setPhase("Saving", kind === "complete" ? "all steps are done" : "asked to stop");
  await saveCheckpoint(context, { last: true });
  await checkpointer.settled();
  const isNews = step > firstStep || !context.lingers;
  if (kind === "complete" && isNews) sampleGrid = await gallery.draw(dispatcher.version, stop);
  return { kind, step, lastLoss, sampleGrid };
}

/** Begins a save of the newest step; it is written in the background. */
export async function saveCheckpoint(
  { checkpointer, dispatcher, hold }: RunContext,
  how: { readonly last?: boolean } = {},
): Promise<void> {
  await hold.exclusive(() => checkpointer.save(dispatcher.version, how));
}
