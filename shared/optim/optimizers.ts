// The table of optimizers. An optimizer is a kernel of its name (kernels/assembly/optimizers) and the state vectors that it
// keeps; all get the same arguments. Constants are computed here, in float64 and by exact operations.

import { exactPow } from "../rng/exact-math.ts";

export interface Optimizer {
  readonly about: string;
  /** State vectors, all zero at the start. */
  readonly moments: readonly ("m" | "v")[];
}

export const OPTIMIZERS = {
  adamw: { about: "Loshchilov and Hutter 2019", moments: ["m", "v"] },
  adam: { about: "Kingma and Ba 2015", moments: ["m", "v"] },
  rmsprop: { about: "Tieleman and Hinton 2012", moments: ["v"] },
  sgd: { about: "with momentum beta1", moments: ["m"] },
  lion: { about: "Chen et al. 2023", moments: ["m"] },
} satisfies Record<string, Optimizer>;

export type OptimizerName = keyof typeof OPTIMIZERS;

export interface OptimizerStep {
  readonly type: OptimizerName;
  readonly lr: number;
  readonly beta1: number;
  readonly beta2: number;
  readonly eps: number;
  readonly weightDecay: number;
  /** Multiplies every gradient element first: 1/V times the clip coefficient. */
  readonly gradientScale: number;
  /** 1 for the first step; the bias corrections are functions of it. */
  readonly count: number;
}

/** Addresses of one shard, and its floats. */
export interface Operands {
  readonly p: number;
  readonly g: number;
  readonly n: number;
  moment(name: string): number;
}

/** Kernels and their arguments: the constants of the step, then the optimizer. */
export function optimizerCalls(step: OptimizerStep, { p, g, n, moment }: Operands): readonly [string, ...number[]][] {
  const { type, lr, beta1, beta2, eps, weightDecay, gradientScale, count } = step;
  const kept: readonly string[] = OPTIMIZERS[type].moments;
  const at = (name: string) => (kept.includes(name) ? moment(name) : 0);
  const corrections = [1 - exactPow(beta1, count), 1 - exactPow(beta2, count)];
  return [
    ["hyper", gradientScale, lr, beta1, beta2, eps, weightDecay, ...corrections],
    [type, p, g, at("m"), at("v"), n],
  ];
}
