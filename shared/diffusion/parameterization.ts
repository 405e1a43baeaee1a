// What a network may predict at a noise level x_t = alpha x_0 + sigma eps, each as a linear reading of its output F:
// x_0 = skip x_t + out F(input x_t). Karras et al. 2022, Table 1 has most of them in one notation. Host numbers, float64.

import { invariant } from "../invariant.ts";
import { SIGMA_RANGES } from "./processes/process.ts";

/** x_t = alpha x_0 + sigma eps. */
export interface Level {
  readonly alpha: number;
  readonly sigma: number;
}

/** Coefficients of x_t and of F. */
export interface Reading {
  readonly skip: number;
  readonly out: number;
}

export interface Parameterization {
  readonly about: string;
  /** x_0 = skip x_t + out F. */
  reading(level: Level): Reading;
  /** The F that gives x_0 back: the coefficients of x_0 and of eps in it. */
  target(level: Level): { readonly x0: number; readonly eps: number };
  /** What x_t is multiplied by before the network sees it; 1 when absent. */
  input?(level: Level): number;
  /** Weight of |F - target|^2 in the loss; 1 when absent. */
  weight?(level: Level): number;
}

/** The score grad log p(x_t) = (alpha x_0 - x_t) / sigma^2, from the reading of x_0. */
export const scoreReading = ({ alpha, sigma }: Level, { skip, out }: Reading): Reading => ({
  skip: (alpha * skip - 1) / (sigma * sigma),
  out: (alpha * out) / (sigma * sigma),
});

/** v of a process that keeps the variance: Salimans and Ho 2022, App. D; of any other, x_t is first scaled to do so. */
const v: Parameterization = {
  about: "Salimans and Ho 2022",
  reading: (level) => {
    const { alpha, sigma, norm } = unit(level);
    return { skip: alpha / norm, out: -sigma };
  },
  target: (level) => {
    const { alpha, sigma } = unit(level);
    return { x0: -sigma, eps: alpha };
  },
};

/** D(x; sigma) = c_skip x + c_out F(c_in x) in x = x_t / alpha: Karras et al. 2022, Eq. 7 and Table 1. */
const edm = (sigmaData: number): Parameterization => {
  const of = ({ alpha, sigma }: Level) => {
    const ratio = sigma / alpha;
    const total = Math.sqrt(ratio * ratio + sigmaData * sigmaData);
    return { alpha, ratio, total, skip: (sigmaData * sigmaData) / (total * total), out: (ratio * sigmaData) / total };
  };
  return {
    about: "Karras et al. 2022",
    reading: (level) => {
      const { alpha, skip, out } = of(level);
      return { skip: skip / alpha, out };
    },
    target: (level) => {
      const { ratio, skip, out } = of(level);
      return { x0: (1 - skip) / out, eps: (-skip * ratio) / out };
    },
    input: (level) => {
      const { alpha, total } = of(level);
      return 1 / (alpha * total);
    },
    // lambda(sigma) c_out^2 = 1: Eq. 144.
  };
};

/**
 * A consistency function f(x; sigma), the end of the path that x lies on: EDM's scalings, bent so that f(x; sigmaMin) = x.
 * Song et al. 2023, Eq. 5 and App. C.
 */
const consistency = (sigmaData: number, sigmaMin: number): Parameterization => {
  const reading = ({ alpha, sigma }: Level): Reading => {
    const ratio = sigma / alpha;
    const [gap, data2] = [ratio - sigmaMin, sigmaData * sigmaData];
    return {
      skip: data2 / (gap * gap + data2) / alpha,
      out: (gap * sigmaData) / Math.sqrt(ratio * ratio + data2),
    };
  };
  return {
    ...edm(sigmaData),
    about: "Song et al. 2023, the identity at sigmaMin",
    reading,
    target: (level) => {
      const { skip, out } = reading(level);
      return { x0: (1 - skip * level.alpha) / out, eps: (-skip * level.sigma) / out };
    },
  };
};

export const PARAMETERIZATIONS = {
  eps: {
    about: "Ho et al. 2020",
    reading: ({ alpha, sigma }) => ({ skip: 1 / alpha, out: -sigma / alpha }),
    target: () => ({ x0: 0, eps: 1 }),
  },
  x0: {
    about: "the image itself",
    reading: () => ({ skip: 0, out: 1 }),
    target: () => ({ x0: 1, eps: 0 }),
  },
  v,
  score: {
    about: "Song et al. 2021, -eps / sigma",
    reading: ({ alpha, sigma }) => ({ skip: 1 / alpha, out: (sigma * sigma) / alpha }),
    target: ({ sigma }) => ({ x0: 0, eps: -1 / sigma }),
    weight: ({ sigma }) => sigma * sigma,
  },
  edm: edm(0.5),
  consistency: consistency(0.5, SIGMA_RANGES.edm.min),
} satisfies Record<string, Parameterization>;

export type ParameterizationName = keyof typeof PARAMETERIZATIONS;

/** What a job's network may predict: x_0, somehow, or the step back itself. */
export const PREDICTIONS = {
  ...PARAMETERIZATIONS,
  kernel: { about: "Sohl-Dickstein et al. 2015, the step back of nonequilibrium and binomial" },
};

export type PredictName = keyof typeof PREDICTIONS;

/**
 * @param sigmaData standard deviation of the data, which "edm" and "consistency" scale by. @param sigmaMin where a consistency
 * function is the identity.
 */
export function parameterizationOf(
  name: PredictName,
  sigmaData: number,
  sigmaMin: number = SIGMA_RANGES.edm.min,
): Parameterization {
  invariant(name !== "kernel", "a process of levels has a prediction of x_0");
  if (name === "consistency") return consistency(sigmaData, sigmaMin);
  return name === "edm" ? edm(sigmaData) : PARAMETERIZATIONS[name];
}

function unit({ alpha, sigma }: Level) {
  const norm = Math.sqrt(alpha * alpha + sigma * sigma);
  return { alpha: alpha / norm, sigma: sigma / norm, norm };
}
