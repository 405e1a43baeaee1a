// The table of chains. A chain's code loads TensorFlow.js; the table does not.

import type { Times } from "../processes/process.ts";
import type { ChainKind, ChainOptions } from "./chain.ts";
import { drawnStep } from "./schedule.ts";

export const CHAINS = {
  nonequilibrium: {
    about: "Sohl-Dickstein et al. 2015, T Gaussian steps whose means and variances are learned",
    outputs: 2,
    load: async () => (await import("./gaussian-chain.ts")).gaussianChain,
  },
  binomial: {
    about: "the same on bits, T steps of flips",
    outputs: 1,
    bits: true,
    load: async () => (await import("./binomial-chain.ts")).binomialChain,
  },
} satisfies Record<string, ChainKind>;

/** Steps, of which the first is not learned. */
export const chainTimes = ({ timesteps }: ChainOptions): Times => ({
  span: { min: 0, max: timesteps - 1 },
  label: (t) => t,
  draw: (draws, n) => draws.uniforms(n).map((u) => drawnStep(u, timesteps)),
});
