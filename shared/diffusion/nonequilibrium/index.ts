// The table of chains. A chain's code loads TensorFlow.js; the table does not.

import { exactLog } from "../../rng/exact-math.ts";
import { processOf } from "../process.ts";
import type { Times } from "../processes/process.ts";
import type { ChainKind, ChainOptions } from "./chain.ts";
import { binomialBetas, drawnStep } from "./schedule.ts";

/** @param label what the network is told at a step. */
const timesOf = (T: number, label: (t: number) => number): Times => ({
  span: { min: 0, max: T - 1 },
  label,
  draw: (draws, n) => draws.uniforms(n).map((u) => drawnStep(u, T)),
});

/** The log odds that a bit has been flipped: what a network says of it grows with them, whatever the step. */
function flips({ timesteps }: ChainOptions): Times {
  const { alphasCumprod } = processOf(binomialBetas(timesteps));
  return timesOf(timesteps, (t) => exactLog((1 - alphasCumprod[t]!) / (1 + alphasCumprod[t]!)));
}

export const CHAINS = {
  nonequilibrium: {
    about: "Sohl-Dickstein et al. 2015, T Gaussian steps whose means and variances are learned",
    outputs: 2,
    times: ({ timesteps }) => timesOf(timesteps, (t) => t),
    load: async () => (await import("./gaussian-chain.ts")).gaussianChain,
  },
  binomial: {
    about: "the same on bits, T steps of flips",
    outputs: 1,
    bits: true,
    times: flips,
    load: async () => (await import("./binomial-chain.ts")).binomialChain,
  },
} satisfies Record<string, ChainKind>;
