import * as tf from "@tensorflow/tfjs-core";
import { beforeAll, describe, expect, it } from "vitest";
import { denoisingOf } from "../../shared/diffusion/denoising.ts";
import { PARAMETERIZATIONS, type Parameterization } from "../../shared/diffusion/parameterization.ts";
import { noiseProcess, type ProcessName } from "../../shared/diffusion/processes/index.ts";
import type { SdeProcess } from "../../shared/diffusion/processes/process.ts";
import { squaredError } from "../../shared/objectives/simple.ts";
import { normals, PURPOSE } from "../../shared/rng/stream.ts";
import { SAMPLERS } from "../../shared/samplers/index.ts";
import type { Score, SdeWalk } from "../../shared/samplers/sampler.ts";
import { annealedLangevin, langevin } from "../../shared/samplers/sde/correctors.ts";
import { decoding, encoding } from "../../shared/samplers/sde/flow.ts";
import { likelihood, withSlope } from "../../shared/samplers/sde/likelihood.ts";
import { predictorCorrector } from "../../shared/samplers/sde/predictor-corrector.ts";
import { ancestralSampling, reverseDiffusion } from "../../shared/samplers/sde/predictors.ts";
import { none } from "../../shared/samplers/sde/update.ts";
import { drive, type OnStep } from "../../shared/samplers/walk.ts";
import { testBackend } from "../support/backend.ts";

beforeAll(testBackend);

const SDES = ["vp", "sub-vp", "ve"] as const;
const [MEAN, STD] = [0.3, 0.2];
/** Langevin's step is known by an image's norm, so images have many values. */
const SHAPE = [60, 10, 10, 1];
const STEPS = 150;

const processOf = (process: ProcessName) =>
  noiseProcess({
    process,
    schedule: "cosine",
    timesteps: 1000,
    betaMin: 0.1,
    betaMax: 20,
    sigmaMax: process === "ve" ? 20 : undefined,
    pMean: -1.2,
    pStd: 1.2,
  });
const sdeOf = (name: (typeof SDES)[number]) => processOf(name) as SdeProcess;

/** x_t of N(MEAN, STD^2). */
function marginal({ level }: Pick<SdeProcess, "level">, t: number) {
  const { alpha, sigma } = level(t);
  return { mean: alpha * MEAN, variance: (alpha * STD) ** 2 + sigma * sigma };
}

const scoreOf =
  (process: SdeProcess): Score =>
  (x, t) => {
    const { mean, variance } = marginal(process, t);
    return tf.div(tf.sub(mean, x), variance);
  };

const gaussian = (step: number) =>
  tf.tensor(normals({ seed: 5, purpose: PURPOSE.sampleStep, step, index: 0 }, 6000), SHAPE);

function walked(walk: SdeWalk, process: SdeProcess, onStep?: OnStep, steps = STEPS): Promise<tf.Tensor> {
  const x = tf.tidy(() => tf.mul(gaussian(10_000), process.sde.prior));
  return drive(walk(scoreOf(process), x, process, { steps, noise: gaussian }), x, steps, onStep);
}

async function expectTheGaussian(walk: SdeWalk, process: SdeProcess) {
  const x = await walked(walk, process);
  const values = x.dataSync() as Float32Array;
  x.dispose();
  const mean = values.reduce((sum, v) => sum + v, 0) / values.length;
  const std = Math.sqrt(values.reduce((sum, v) => sum + (v - mean) ** 2, 0) / values.length);
  expect(Math.abs(mean - MEAN)).toBeLessThan(0.015);
  expect(Math.abs(std - STD) / STD).toBeLessThan(0.06);
}

const entries = Object.entries(SAMPLERS).flatMap(([name, entry]) =>
  entry.walks === "sde" ? entry.fits.map((process) => ({ name, process, load: entry.load })) : [],
);

describe("with the score of a Gaussian", () => {
  it.each(entries)("$name gives its mean and spread back through $process", async ({ load, process }) => {
    await expectTheGaussian(await load(), sdeOf(process));
  });

  it.each([
    ["vp", ancestralSampling, none],
    ["ve", ancestralSampling, langevin()],
    ["ve", reverseDiffusion(), annealedLangevin()],
    ["sub-vp", reverseDiffusion(true), none],
  ] as const)("so do the other parts, through %s", async (process, predictor, corrector) => {
    await expectTheGaussian(predictorCorrector({ predictor, corrector }), sdeOf(process));
  });

  it.each(SDES)("encoding leads images of %s to noise, and decoding back to them", async (name) => {
    const process = sdeOf(name);
    const options = { steps: 1, noise: gaussian };
    const images = tf.tidy(() => tf.add(tf.mul(gaussian(0), STD), MEAN));
    const before = images.dataSync().slice();
    const z = await drive(encoding()(scoreOf(process), images, process, options), images, 1);
    const [prior, { mean, variance }] = [marginal(process, 1), marginal(process, process.span.min)];
    const latent = z.dataSync().slice();
    const x = await drive(decoding()(scoreOf(process), z, process, options), z, 1);
    const after = x.dataSync();
    for (let i = 0; i < before.length; i += 7) {
      const quantile = (before[i]! - mean) / Math.sqrt(variance);
      expect(Math.abs((latent[i]! - prior.mean) / Math.sqrt(prior.variance) - quantile)).toBeLessThan(1e-3);
      expect(Math.abs(after[i]! - before[i]!)).toBeLessThan(1e-3);
    }
    x.dispose();
  });

  it.each(SDES)("the likelihood through %s is the exact one", async (name) => {
    const process = sdeOf(name);
    const values = [-0.2, 0.1, 0.25, 0.3, 0.32, 0.6, 0.9, 0.4];
    const data = tf.tensor(values, [2, 2, 2, 1]);
    const epsilon = tf.tensor([1, -1, -1, 1, 1, 1, -1, 1], [2, 2, 2, 1]);
    const got = await likelihood(withSlope(scoreOf(process), epsilon), process, data, epsilon);
    const [first, last] = [marginal(process, process.span.min), marginal(process, 1)];
    const { prior } = process.sde;
    // The flow takes a value to the same quantile of the last marginal, whose density is taken for the prior's.
    const logs = values.map((v) => {
      const z = last.mean + (v - first.mean) * Math.sqrt(last.variance / first.variance);
      const change = Math.log(last.variance / first.variance) / 2;
      return change - 0.5 * (Math.log(2 * Math.PI * prior * prior) + (z / prior) ** 2);
    });
    for (const i of [0, 1]) {
      const exact = logs.slice(4 * i, 4 * i + 4).reduce((sum, log) => sum + log);
      expect(Math.abs(got.priorLogDensity[i]! + got.change[i]! - exact)).toBeLessThan(
        2e-3 * Math.max(1, Math.abs(exact)),
      );
    }
    tf.dispose([data, epsilon, got.z]);
  });
});

describe("tensors", () => {
  const stop: OnStep = (done) => {
    if (done >= 3) throw new Error("stopped");
  };

  it.each(entries)("$name leaves none behind through $process, at its end or stopped midway", async (entry) => {
    const [walk, process] = [await entry.load(), sdeOf(entry.process)];
    const before = tf.memory().numTensors;
    (await walked(walk, process, undefined, 30)).dispose();
    await expect(walked(walk, process, stop, 30)).rejects.toThrow("stopped");
    expect(tf.memory().numTensors).toBe(before);
  });

  it("a likelihood leaves only its noise, and nothing when it is stopped", async () => {
    const process = sdeOf("vp");
    const [data, epsilon] = [tf.zeros([2, 2, 2, 1]), tf.ones([2, 2, 2, 1])];
    const before = tf.memory().numTensors;
    (await likelihood(withSlope(scoreOf(process), epsilon), process, data, epsilon)).z.dispose();
    let calls = 0;
    const onStep = () => stop(++calls, 0, data);
    await expect(likelihood(withSlope(scoreOf(process), epsilon), process, data, epsilon, { onStep })).rejects.toThrow(
      "stopped",
    );
    expect(tf.memory().numTensors).toBe(before);
    tf.dispose([data, epsilon]);
  });
});

describe("the likelihood's weights", () => {
  const t = [0.1, 0.4, 0.9];

  it.each(SDES)("make one loss of what any parameterization says of x_0, through %s", (name) => {
    const process = sdeOf(name);
    const losses = tf.tidy(() => {
      const [x0, eps, off] = [0, 1, 2].map((step) => tf.slice(gaussian(step), 0, 3));
      return Object.values<Parameterization>(PARAMETERIZATIONS).map((parameterization) => {
        const denoising = denoisingOf(process, parameterization, "likelihood");
        const target = denoising.targetOf(x0!, eps!, t);
        // The output whose x_0 is wrong by `off`.
        const gains = t.map((time) => 1 / parameterization.reading(process.level(time)).out);
        const output = tf.add(target, tf.mul(off!, tf.tensor(gains, [3, 1, 1, 1])));
        const weight = denoising.weight(t);
        return tf.mean(squaredError({ target, weight }, output)).dataSync()[0]!;
      });
    });
    for (const loss of losses) expect(Math.abs(loss / losses[0]! - 1)).toBeLessThan(1e-3);
  });

  it("are refused for a process that is no SDE", () => {
    expect(() => denoisingOf(processOf("ddpm"), PARAMETERIZATIONS.eps, "likelihood")).toThrow(
      "which this process has not",
    );
  });
});

describe("what cannot be", () => {
  it("too few steps for the betas are refused with the least number", () => {
    expect(() => reverseDiffusion()(sdeOf("vp"), 20)).toThrow("20 steps are too few for betaMax 20");
    // Of sub-VP a move of its own needs no betas, and a correction does.
    expect(() => reverseDiffusion()(sdeOf("sub-vp"), 20)).not.toThrow();
    expect(() => langevin()(sdeOf("sub-vp"), 20)).toThrow("20 steps are too few for betaMax 20");
  });

  it("ancestral sampling of sub-VP is refused", () => {
    expect(() => ancestralSampling(sdeOf("sub-vp"), 100)).toThrow("not known for this process");
  });

  it("a flow of a diverged network ends with an error", async () => {
    const process = sdeOf("vp");
    const nan: Score = (x) => tf.mul(x, Number.NaN);
    const x = gaussian(0);
    await expect(drive(decoding()(nan, x, process, { steps: 1, noise: gaussian }), x, 1)).rejects.toThrow(
      "its error is NaN",
    );
  });
});
