// Exponential integrators in t = -log sigma, which solve the linear part of the ODE exactly: DPM-Solver (Lu et al. 2022a)
// expands eps, DPM-Solver++ (Lu et al. 2022b) x_0. Theirs is x_t of a process that keeps the variance; divided by alpha, the
// same updates serve every process.

import * as tf from "@tensorflow/tfjs-core";
import { combine, type Term } from "./combine.ts";
import { slope } from "./ode.ts";
import type { Method, SigmaDenoiser } from "./sampler.ts";
import { between, phis, timeOf } from "./sigma-math.ts";

type T = tf.Tensor;

export interface Solver {
  /** What is expanded in t: eps (DPM-Solver) or x_0 (DPM-Solver++). */
  readonly predict: "eps" | "x0";
  /** How a second-order step weighs its derivative: by the integral of the Taylor series, or as one slope over the step. */
  readonly expansion: "midpoint" | "taylor";
}

/** The expanded function at a step's start, and its derivatives times h and h^2. */
export interface Expanded {
  readonly m: T;
  readonly d1?: T;
  readonly d2?: T;
}

/** eps or x_0 from the denoiser's x_0. */
export const expanded = ({ predict }: Solver, x: T, denoised: T, sigma: number): T =>
  predict === "x0" ? denoised : slope(x, denoised, sigma);

/** From x at `from` to x at `to`; to 0 only m counts. */
export function exponentialStep(solver: Solver, x: T, from: number, to: number, { m, d1, d2 }: Expanded): T {
  const images = solver.predict === "x0";
  if (to === 0) return images ? m : combine([1, x], [-from, m]);
  const h = timeOf(to) - timeOf(from);
  const [phi1, phi2, phi3] = phis(images ? -h : h);
  const weight = images ? 1 : to;
  const slopeWeight = solver.expansion === "midpoint" ? phi1 / 2 : phi2;
  const terms: Term[] = [
    [images ? to / from : 1, x],
    [-weight * phi1, m],
  ];
  if (d1) terms.push([-weight * slopeWeight, d1]);
  if (d2) terms.push([-weight * phi3, d2]);
  return combine(...terms);
}

/** Steps from x at one sigma; evaluations are shared between them. */
export function stepsFrom(solver: Solver, denoise: SigmaDenoiser, x: T, from: number) {
  const values: T[] = [];
  const reach = (to: number, through: readonly number[], expansion: Solver["expansion"]): T => {
    const h = timeOf(to) - timeOf(from);
    const shares = through.map((sigma) => (timeOf(sigma) - timeOf(from)) / h);
    return exponentialStep({ ...solver, expansion }, x, from, to, derivatives(solver, values, shares));
  };
  return {
    /** @param through the sigmas, at most two, where it evaluates on its way: of order one more than their number. */
    to(to: number, through: readonly number[]): T {
      while (values.length <= through.length) {
        const k = values.length;
        const sigma = through[k - 1] ?? from;
        const there = k === 0 ? x : reach(sigma, through.slice(0, k - 1), "taylor");
        values.push(expanded(solver, there, denoise(there, sigma), sigma));
      }
      return reach(to, through, through.length === 1 ? solver.expansion : "taylor");
    },
  };
}

/** By differences of values at shares of the step: Lu et al. 2022a, Algorithms 1 and 2; with Taylor's expansion, App. B.4. */
function derivatives({ expansion }: Solver, values: readonly T[], [r1, r2]: readonly number[]): Expanded {
  const [m, m1, m2] = values as [T, T, T];
  const difference = (value: T, r: number) => tf.mul(tf.sub(value, m), 1 / r);
  if (r1 === undefined) return { m };
  if (r2 === undefined) return { m, d1: difference(m1, r1) };
  const last = difference(m2, r2);
  if (expansion === "midpoint") return { m, d1: last };
  const first = difference(m1, r1);
  return {
    m,
    d1: combine([r2 / (r2 - r1), first], [-r1 / (r2 - r1), last]),
    d2: combine([2 / (r2 - r1), last], [-2 / (r2 - r1), first]),
  };
}

/** DPM-Solver++(2S): second order, evaluated in the middle of t. */
export const dpmpp2s: Method = (denoise, x, sigma, next) =>
  stepsFrom({ predict: "x0", expansion: "midpoint" }, denoise, x, sigma).to(
    next,
    next === 0 ? [] : [between(sigma, next, 0.5)],
  );
