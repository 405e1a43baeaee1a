// Multistep DPM-Solver and DPM-Solver++, with the noise of the diffusion SDE where eta asks for it: Lu et al. 2022b,
// Algorithm 2 and App. B; k-diffusion's 2M, 2M SDE and 3M SDE. One evaluation a step; earlier ones give the derivatives.

import * as tf from "@tensorflow/tfjs-core";
import { combine } from "./combine.ts";
import { type Expanded, expanded, exponentialStep, type Solver } from "./exponential.ts";
import type { Walk } from "./sampler.ts";
import { sdeSplit, timeOf } from "./sigma-math.ts";

export interface Multistep extends Solver {
  readonly order: 1 | 2 | 3;
  /** Lower the order of the last of fewer than FEW steps. */
  readonly lowerOrderFinal?: boolean;
  readonly sNoise?: number;
}

const FEW = 10;

/** An evaluation, and where it was made. */
interface Value {
  readonly m: tf.Tensor;
  readonly t: number;
}

export const multistep = ({ order, lowerOrderFinal = false, sNoise = 1, ...solver }: Multistep): Walk =>
  function* (denoise, x, sigmas, { eta, noise }) {
    // The step to 0 has order 1 at any rate.
    const steps = sigmas.length - (sigmas.at(-1) === 0 ? 2 : 1);
    let past: Value[] = [];
    for (let i = 0; i < sigmas.length - 1; i++) {
      const [sigma, next] = [sigmas[i]!, sigmas[i + 1]!];
      past = [{ m: expanded(solver, x, denoise(x, sigma), sigma), t: timeOf(sigma) }, ...past].slice(0, order);
      const most = next === 0 ? 1 : lowerOrderFinal && steps < FEW ? steps - i : order;
      const known = past.slice(0, most);
      const { down, up } = next === 0 ? { down: 0, up: 0 } : sdeSplit(sigma, next, eta);
      const expansion = known.length === 2 ? solver.expansion : "taylor";
      x = exponentialStep({ ...solver, expansion }, x, sigma, down, differences(known, timeOf(next)));
      if (up > 0) x = combine([1, x], [up * sNoise, noise(i)]);
      yield { x, kept: past.map(({ m }) => m) };
    }
  };

/** Derivatives by backward differences. d2 is half of h^2 m'', as it is in the authors' code and in k-diffusion. */
function differences([now, last, before]: readonly Value[], next: number): Expanded {
  const { m, t } = now!;
  if (!last) return { m };
  const h = next - t;
  const r0 = (t - last.t) / h;
  const first = combine([1 / r0, m], [-1 / r0, last.m]);
  if (!before) return { m, d1: first };
  const r1 = (last.t - before.t) / h;
  const bend = tf.sub(first, combine([1 / r1, last.m], [-1 / r1, before.m]));
  return { m, d1: combine([1, first], [r0 / (r0 + r1), bend]), d2: tf.mul(bend, 1 / (r0 + r1)) };
}
