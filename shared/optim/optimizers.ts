// The optimizers: which state each keeps and how its kernel is called. Scalars are computed here, in float64 and by
// exact operations; the kernels (shared/kernels/assembly) do the rest in float32.

import type { OptimizerStep } from "../kernels/reducer.ts";
import { exactPow } from "../rng/exact-math.ts";

/** Addresses of one shard. */
export interface Operands {
  readonly p: number;
  readonly g: number;
  readonly n: number;
  moment(name: string): number;
}

export interface Optimizer {
  /** Names of the state vectors, all zero at the start. */
  readonly moments: readonly string[];
  calls(step: OptimizerStep, at: Operands): readonly [name: string, ...args: (number | boolean)[]];
}

/** Kingma and Ba 2015; weight decay as L2 in the gradient. */
const adam: Optimizer = {
  moments: ["m", "v"],
  calls: (step, at) => adamCall(step, at, 1, step.weightDecay),
};

/** Loshchilov and Hutter 2019: weight decay apart from the gradient. */
const adamw: Optimizer = {
  moments: ["m", "v"],
  calls: (step, at) => adamCall(step, at, 1 - step.lr * step.weightDecay, 0),
};

function adamCall(
  step: OptimizerStep,
  { p, g, n, moment }: Operands,
  decay: number,
  l2: number,
): readonly [string, ...number[]] {
  const { lr, beta1, beta2, eps, gradientScale, count } = step;
  const stepSize = lr / (1 - exactPow(beta1, count));
  const rootCorrection = Math.sqrt(1 - exactPow(beta2, count));
  return [
    "adam",
    p,
    g,
    moment("m"),
    moment("v"),
    n,
    gradientScale,
    beta1,
    beta2,
    eps,
    decay,
    l2,
    stepSize,
    rootCorrection,
  ];
}

/** Tieleman and Hinton 2012; beta2 is torch's alpha. */
const rmsprop: Optimizer = {
  moments: ["v"],
  calls: ({ gradientScale, beta2, eps, weightDecay, lr }, { p, g, n, moment }) => [
    "rmsprop",
    p,
    g,
    moment("v"),
    n,
    gradientScale,
    beta2,
    eps,
    weightDecay,
    lr,
  ],
};

/** Heavy-ball momentum beta1, without dampening. */
const sgd: Optimizer = {
  moments: ["m"],
  calls: ({ gradientScale, beta1, weightDecay, lr, count }, { p, g, n, moment }) => [
    "sgd",
    p,
    g,
    moment("m"),
    n,
    gradientScale,
    beta1,
    weightDecay,
    lr,
    count === 1,
  ],
};

export type OptimizerType = "adamw" | "adam" | "rmsprop" | "sgd";

export const OPTIMIZERS = { adamw, adam, rmsprop, sgd } satisfies Record<OptimizerType, Optimizer>;
