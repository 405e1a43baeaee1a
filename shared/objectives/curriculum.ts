// How many noise levels N a distillation has at a step, and the decay of its target's EMA: Song et al. 2023, App. C, as the
// authors' code counts. Host numbers, the same bits everywhere.

import { exactExp, exactLog } from "../rng/exact-math.ts";

/** N grows from `start` to `end` + 1, evenly in N^2. */
export function progressiveScales(
  step: number,
  { start, end, totalSteps }: { readonly start: number; readonly end: number; readonly totalSteps: number },
): number {
  const [first, last] = [start * start, (end + 1) * (end + 1)];
  return Math.max(1, Math.ceil(Math.sqrt((step / totalSteps) * (last - first) + first) - 1)) + 1;
}

/** mu = exp(s_0 ln mu_0 / (N - 1)): the finer the levels, the slower the target. */
export const adaptiveDecay = (startDecay: number, startScales: number, scales: number): number =>
  exactExp((exactLog(startDecay) * startScales) / (scales - 1));

/**
 * Progressive distillation: half as many steps of the student in each stage, down to 2; these last two stages, to 2 and to 1,
 * take twice as long.
 */
export function halvedScales(step: number, start: number, stepsPerStage: number): number {
  const scales = Math.floor(start / 2 ** Math.floor(step / stepsPerStage));
  if (scales > 2) return scales;
  const sinceTwo = Math.max(0, step - stepsPerStage * (log2(start) - 1));
  return Math.floor(sinceTwo / (2 * stepsPerStage)) === 0 ? 2 : 1;
}

/** Exact where the logarithm is whole. */
function log2(x: number): number {
  const log = exactLog(x) / Math.LN2;
  return 2 ** Math.round(log) === x ? Math.round(log) : log;
}
