// Singlestep DPM-Solver and DPM-Solver++: Lu et al. 2022a, Algorithms 1 and 2 and App. D.3 ("fast"), and 2022b, Algorithm 1.
// Every sigma of the grid but the last is one evaluation; a step of order k takes k of them.

import { polyexponential } from "../diffusion/grids.ts";
import { combine } from "./combine.ts";
import { type Solver, stepsFrom } from "./exponential.ts";
import type { Walk } from "./sampler.ts";
import { ancestralSplit, between, timeOf } from "./sigma-math.ts";

export interface Singlestep extends Solver {
  readonly order: 1 | 2 | 3;
  /** End a whole number of third-order steps by orders 2 and 1. */
  readonly lowerOrderFinal?: boolean;
  readonly sNoise?: number;
}

/** The orders of the steps that take n evaluations: as many of the full order as fit, then what is left. */
export function ordersOf(n: number, { order, lowerOrderFinal = false }: Omit<Singlestep, keyof Solver>): number[] {
  const orders = new Array<number>(Math.floor(n / order)).fill(order);
  if (n % order > 0) orders.push(n % order);
  else if (lowerOrderFinal && order === 3 && n > 0) orders.splice(-1, 1, 2, 1);
  return orders;
}

export const singlestep = (options: Singlestep): Walk =>
  function* (denoise, x, sigmas, { eta, noise }) {
    const total = sigmas.length - 1;
    const floor = sigmas[total]!;
    // The step to 0 has order 1 at any rate.
    const orders = floor > 0 ? ordersOf(total, options) : [...ordersOf(total - 1, options), 1];
    let done = 0;
    for (const [i, order] of orders.entries()) {
      const [from, ...rest] = sigmas.subarray(done, done + order + 1) as unknown as [number, ...number[]];
      const { down, up } = ancestralSplit(from, rest.at(-1)!, eta, floor);
      x = stepsFrom(options, denoise, x, from).to(down, through(from, rest, down));
      if (up > 0) x = combine([1, x], [up * (options.sNoise ?? 1), noise(i)]);
      done += order;
      yield { x, progress: done / total };
    }
  };

/** Where the step evaluates: at the grid's own levels, moved with its end where noise will be added behind it. */
function through(from: number, rest: readonly number[], down: number): number[] {
  const to = rest.at(-1)!;
  const inner = rest.slice(0, -1);
  if (down === to) return inner;
  const share = (sigma: number) => (timeOf(sigma) - timeOf(from)) / (timeOf(to) - timeOf(from));
  return inner.map((sigma) => between(from, down, share(sigma)));
}

/** Levels uniform in t between the steps' ends, as the grid of their evaluations. */
export const evaluationsOf = (ends: Float64Array, orders: readonly number[]): Float64Array =>
  Float64Array.of(
    ends[0]!,
    ...orders.flatMap((order, i) =>
      Array.from({ length: order }, (_, k) =>
        k === order - 1 ? ends[i + 1]! : between(ends[i]!, ends[i + 1]!, (k + 1) / order),
      ),
    ),
  );

/** DPM-Solver-fast: as many evaluations as the grid has steps, by steps of equal length in t between its ends. */
export const dpmFast = (sNoise = 1): Walk => {
  const options = { order: 3, lowerOrderFinal: true, predict: "eps", expansion: "midpoint", sNoise } as const;
  const walk = singlestep(options);
  return (denoise, x, sigmas, more) => {
    const orders = ordersOf(sigmas.length - 1, options);
    const ends = polyexponential(orders.length + 1, sigmas.at(-1)!, sigmas[0]!);
    return walk(denoise, x, evaluationsOf(ends, orders), more);
  };
};
