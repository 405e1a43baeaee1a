import * as tf from "@tensorflow/tfjs-core";
import { beforeAll, describe, expect, it } from "vitest";
import { pMeanVariance, qPosterior, qSample } from "../../shared/diffusion/gaussian.ts";
import { interpret, type PredictionType, targetOf, toEps } from "../../shared/diffusion/prediction.ts";
import { createProcess, processOf } from "../../shared/diffusion/process.ts";
import { roundHalfEven, spaceTimesteps } from "../../shared/diffusion/respacing.ts";
import { betasOf, SCHEDULES } from "../../shared/diffusion/schedules.ts";
import { PlumeError } from "../../shared/errors.ts";
import { normals, PURPOSE } from "../../shared/rng/stream.ts";
import { testBackend } from "../support/backend.ts";

beforeAll(testBackend);

const process = createProcess({ schedule: "linear", timesteps: 100 });
const SHAPE = [3, 2, 2, 2];
const STEPS = [0, 40, 99];
const gaussian = (index: number) => tf.tensor(normals({ seed: 1, purpose: PURPOSE.noise, step: 0, index }, 24), SHAPE);

function codeOf(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    if (error instanceof PlumeError) return error.code;
    throw error;
  }
  return "none";
}

function worstDifference(a: tf.Tensor, b: tf.Tensor): number {
  return tf.max(tf.abs(tf.sub(a, b))).dataSync()[0]!;
}

describe("beta schedules", () => {
  it.each(Object.keys(SCHEDULES))("%s: betas are above 0, at most 1, and as many as asked", (name) => {
    const betas = betasOf(name, 100);
    expect(betas.length).toBe(100);
    expect(betas.every((beta) => beta > 0 && beta <= 1)).toBe(true);
  });

  it("linear and cosine at T = 1000 end in nearly pure noise", () => {
    for (const schedule of ["linear", "cosine"]) {
      const { alphasCumprod } = createProcess({ schedule, timesteps: 1000 });
      expect(alphasCumprod[999]).toBeLessThan(1e-4);
      expect(alphasCumprod[0]).toBeGreaterThan(0.999);
    }
  });

  it("an unknown schedule, and a linear one with too few steps, are refused", () => {
    expect(codeOf(() => betasOf("cubic", 100))).toBe("INVALID_ARGUMENT");
    expect(codeOf(() => betasOf("linear", 10))).toBe("INVALID_ARGUMENT");
  });
});

describe("respacing", () => {
  it("rounds half to even, as Python", () => {
    expect([0.5, 1.5, 2.5, 4.5, 4.51, 4.49].map(roundHalfEven)).toEqual([0, 2, 2, 4, 5, 4]);
    expect(spaceTimesteps(10, "3")).toEqual([0, 4, 9]);
  });

  it("keeps the noise levels of the steps it keeps", () => {
    const original = createProcess({ schedule: "cosine", timesteps: 1000 });
    const respaced = processOf(original.betas, "10,15,20");
    expect(respaced.T).toBe(45);
    // 1 - beta has lost digits where beta is nearly 1, at the noisy end.
    respaced.timestepMap.forEach((t, i) => {
      expect(Math.abs(respaced.alphasCumprod[i]! / original.alphasCumprod[t]! - 1)).toBeLessThan(1e-10);
    });
  });

  it("tells the network the original step, or that on the scale of 1000", () => {
    const betas = betasOf("cosine", 50);
    expect(processOf(betas, "ddim5").modelTimestep(2)).toBe(20);
    expect(processOf(betas, "ddim5", true).modelTimestep(2)).toBe(400);
  });

  it.each(["ddim300", "60,60", "ddimx", "ten", "", "1.5", "-3"])("%j of 100 steps is refused", (sections) => {
    expect(codeOf(() => spaceTimesteps(100, sections))).toBe("INVALID_ARGUMENT");
  });
});

describe("predictions", () => {
  it.each(["eps", "x0", "v"] as const)("the training target of %s, read back, is x_0 and its noise", (predict) => {
    tf.tidy(() => {
      const [x0, eps] = [gaussian(0), gaussian(1)];
      const x_t = qSample(process, x0, STEPS, eps);
      const target = targetOf(process, predict, x0, STEPS, eps);
      const got = interpret(process, { predict, variance: "fixed-small" }, x_t, STEPS, target);
      expect(worstDifference(got.x0, x0)).toBeLessThan(2e-4);
      expect(worstDifference(toEps(process, x_t, STEPS, x0), eps)).toBeLessThan(2e-4);
    });
  });

  it("one step for all samples is the same as that step for each", () => {
    tf.tidy(() => {
      const [x_t, output] = [gaussian(0), gaussian(1)];
      for (const predict of ["eps", "x0", "v", "x_prev"] satisfies PredictionType[]) {
        const read = (t: number | number[]) =>
          interpret(process, { predict, variance: "fixed-small" }, x_t, t, output).x0.dataSync();
        expect(read(40)).toEqual(read([40, 40, 40]));
      }
    });
  });

  it("a learned range at -1, 0 and 1 is the smaller variance, the mean of the logarithms, and the larger", () => {
    tf.tidy(() => {
      const t = 40;
      const [low, high] = [process.posteriorLogVarianceClipped[t]!, Math.log(process.betas[t]!)];
      for (const [v, expected] of [
        [-1, low],
        [0, (low + high) / 2],
        [1, high],
      ] as const) {
        const output = tf.concat([tf.zeros([1, 1, 1, 2]), tf.fill([1, 1, 1, 2], v)], 3);
        const { logVariance, x0 } = interpret(
          process,
          { predict: "x0", variance: "learned-range" },
          tf.zeros([1, 1, 1, 2]),
          t,
          output,
        );
        expect(x0.shape).toEqual([1, 1, 1, 2]);
        for (const value of logVariance!.dataSync()) expect(value).toBeCloseTo(expected, 5);
      }
    });
  });
});

describe("the step back", () => {
  it("is the posterior at the predicted x_0", () => {
    tf.tidy(() => {
      const [x0, x_t] = [gaussian(0), gaussian(1)];
      const posterior = qPosterior(process, x0, x_t, STEPS);
      const step = pMeanVariance(process, x_t, STEPS, { x0 }, { variance: "fixed-small", clip: false });
      expect(step.mean.dataSync()).toEqual(posterior.mean.dataSync());
    });
  });

  it("takes a predicted mean as it is, though x_0 is clipped", () => {
    tf.tidy(() => {
      const [output, x_t] = [tf.mul(gaussian(0), 5), gaussian(1)];
      const prediction = interpret(process, { predict: "x_prev", variance: "fixed-large" }, x_t, STEPS, output);
      const step = pMeanVariance(process, x_t, STEPS, prediction, { variance: "fixed-large", clip: true });
      expect(step.mean.dataSync()).toEqual(output.dataSync());
      expect(Math.max(...step.x0.dataSync())).toBe(1);
    });
  });

  it("multiplied with the forward marginals gives the next marginal: x_(t-1) of x_t of x_0", () => {
    // Var[x_(t-1)] = (coef2 s_t)^2 + beta~, mean coefficient coef1 + coef2 a_t, for every t.
    for (let t = 1; t < process.T; t++) {
      const k1 = process.posteriorMeanCoef1[t]!;
      const k2 = process.posteriorMeanCoef2[t]!;
      expect(k1 + k2 * process.sqrtAlphasCumprod[t]!).toBeCloseTo(process.sqrtAlphasCumprod[t - 1]!, 12);
      const variance = k2 * k2 * (1 - process.alphasCumprod[t]!) + process.posteriorVariance[t]!;
      expect(variance).toBeCloseTo(1 - process.alphasCumprod[t - 1]!, 12);
    }
  });
});
