import * as tf from "@tensorflow/tfjs-core";
import { beforeAll, describe, expect, it } from "vitest";
import { GRIDS, type GridName } from "../../shared/diffusion/grids.ts";
import { LEVELS } from "../../shared/diffusion/processes/index.ts";
import { levelsOf } from "../../shared/pipeline/draw.ts";
import { normals, PURPOSE } from "../../shared/rng/stream.ts";
import { SAMPLERS } from "../../shared/samplers/index.ts";
import type { Sampler, SigmaDenoiser, SigmaSampler, WalkOptions } from "../../shared/samplers/sampler.ts";
import { walkThrough } from "../../shared/samplers/walk.ts";
import { testBackend } from "../support/backend.ts";

beforeAll(testBackend);

const WALKS = Object.entries<Sampler>(SAMPLERS).filter(
  // A consistency function is no denoiser: its sampler is in consistency.test.ts.
  (entry): entry is [string, SigmaSampler] => entry[1].walks === "sigma" && !entry[1].ofConsistency,
);

const OPTIONS = { schedule: "cosine", timesteps: 1000, betaMin: 0.1, betaMax: 20, pMean: -1.2, pStd: 1.2 };
const process = LEVELS.edm.create({ ...OPTIONS, sigmaMin: 0.02, sigmaMax: 20 });

const [MEAN, STD] = [0.3, 0.2];
/** Of x at sigma, where x_0 is N(MEAN, STD^2). */
const spreadAt = (sigma: number): number => Math.sqrt(STD * STD + sigma * sigma);
const optimal: SigmaDenoiser = (x, sigma) => tf.add(tf.mul(tf.sub(x, MEAN), (STD / spreadAt(sigma)) ** 2), MEAN);

const drawn = (n: number, call: number) =>
  tf.tensor(normals({ seed: 5, purpose: PURPOSE.sampleStep, step: call, index: 0 }, n), [n, 1, 1, 1]);

interface Trip {
  readonly sigmas: Float64Array;
  readonly eta?: number;
  /** x at sigmas[0], in quantiles of the normal distribution. */
  readonly z: tf.Tensor;
  readonly noise?: WalkOptions["noise"];
  readonly onStep?: (done: number, total: number) => void;
}

async function trip(sampler: SigmaSampler, { sigmas, eta = 0, z, noise, onStep }: Trip): Promise<Float32Array> {
  const x = tf.tidy(() => tf.add(tf.mul(z, spreadAt(sigmas[0]!)), MEAN));
  z.dispose();
  const none = () => {
    throw new Error("no noise was expected");
  };
  const end = await walkThrough(await sampler.load(), optimal, x, sigmas, { eta, noise: noise ?? none }, onStep);
  const values = end.dataSync() as Float32Array;
  end.dispose();
  return values;
}

/** The time of the VE flow spends most of its steps where there is most noise: Karras et al. 2022, Fig. 2. */
const stepsOf = (name: string): number => (name === "euler-ve" ? 800 : 200);

/** The relative error of the spread where a walk's own tolerance allows more. */
const SPREAD: Readonly<Record<string, number>> = { "dpm-adaptive": 0.06 };

describe.each(WALKS)("%s", (name, sampler) => {
  const N = 4_000;

  it.each([...new Set([0, 0.5, sampler.eta])])(
    "gives the mean and the spread of a Gaussian back (eta %d)",
    async (eta) => {
      const sigmas = levelsOf(sampler, stepsOf(name), process);
      const values = await trip(sampler, { sigmas, eta, z: drawn(N, 1_000), noise: (call) => drawn(N, call) });
      const mean = values.reduce((sum, v) => sum + v, 0) / N;
      const std = Math.sqrt(values.reduce((sum, v) => sum + (v - mean) ** 2, 0) / N);
      const expected = spreadAt(sigmas.at(-1)!);
      expect(Math.abs(mean - MEAN)).toBeLessThan(0.01);
      expect(Math.abs(std - expected) / expected).toBeLessThan(SPREAD[name] ?? 0.04);
    },
  );

  it("asks for its noise in turn, and for none without eta", async () => {
    const asked: number[] = [];
    const noise = (call: number) => {
      asked.push(call);
      return drawn(2, call);
    };
    const sigmas = levelsOf(sampler, 12, process);
    await trip(sampler, { sigmas, z: drawn(2, 1_000) });
    await trip(sampler, { sigmas, eta: 0.5, z: drawn(2, 1_000), noise });
    expect(asked).toEqual(asked.map((_, i) => i));
    if (sampler.eta > 0) expect(asked.length).toBeGreaterThan(0);
  });

  it("leaves no tensor behind, also when it is stopped midway, and ends at its last step", async () => {
    const sigmas = levelsOf(sampler, 9, process);
    const noise = (call: number) => drawn(2, call);
    const before = tf.memory().numTensors;
    const seen: number[] = [];
    const total = sigmas.length - 1;
    await trip(sampler, {
      sigmas,
      eta: sampler.eta,
      z: drawn(2, 1_000),
      noise,
      onStep: (done) => void seen.push(done),
    });
    expect(seen.at(-1)).toBe(total);
    expect(seen).toEqual([...seen].sort((a, b) => a - b));
    expect(tf.memory().numTensors).toBe(before);
    const stop = (done: number) => {
      if (done >= total / 3) throw new Error("stopped");
    };
    const stopped = trip(sampler, { sigmas, eta: sampler.eta, z: drawn(2, 1_000), noise, onStep: stop });
    await expect(stopped).rejects.toThrow("stopped");
    expect(tf.memory().numTensors).toBe(before);
  });
});

/** The power of the step that the error falls with. */
const ORDERS: Readonly<Record<string, number>> = {
  euler: 1,
  progressive: 1,
  "euler-vp": 1,
  "euler-ve": 1,
  "euler-ancestral": 1,
  heun: 2,
  "dpm-2": 2,
  "dpm-2-ancestral": 2,
  "dpmpp-2s-ancestral": 2,
  // It starts by steps of lower order.
  lms: 3.6,
  "dpm-solver-2": 2,
  "dpm-solver-3": 3,
  // It ends by a step of order 1.
  "dpm-fast": 2,
  "dpm-solver-2m": 2,
  // Its second derivative is halved.
  "dpm-solver-3m": 2,
  "dpmpp-2s": 2,
  "dpmpp-3s": 3,
  "dpmpp-2m": 2,
  "dpmpp-3m": 2,
  "dpmpp-sde": 2,
  "dpmpp-2m-sde": 2,
  "dpmpp-3m-sde": 2,
};

describe("the error along the ODE", () => {
  const QUANTILES = [-1.5, -0.4, 0.6, 2];
  const [HIGH, LOW] = [5, 0.05];
  const between = LEVELS.edm.create({ ...OPTIONS, sigmaMin: LOW, sigmaMax: HIGH });

  /** Along the ODE of a Gaussian every quantile stays one. */
  const error = async (sampler: SigmaSampler, steps: number): Promise<number> => {
    const sigmas = GRIDS[sampler.grid ?? "karras"].levels(steps + 1, between);
    const values = await trip(sampler, { sigmas, z: tf.tensor(QUANTILES, [4, 1, 1, 1]) });
    return Math.max(...QUANTILES.map((z, i) => Math.abs(values[i]! - MEAN - z * spreadAt(LOW))));
  };

  const [fixed, own] = [WALKS.filter(([name]) => name in ORDERS), WALKS.filter(([name]) => !(name in ORDERS))];

  it.each(fixed)("of %s falls with its order", async (name, sampler) => {
    const order = Math.log2((await error(sampler, 24)) / (await error(sampler, 48)));
    expect(order).toBeGreaterThan(ORDERS[name]! - 0.25);
  });

  it.each(own)("of %s keeps to its tolerance, whatever the grid", async (_name, sampler) => {
    const [few, many] = [await error(sampler, 3), await error(sampler, 300)];
    expect(many).toBe(few);
    expect(few).toBeLessThan(0.02);
  });
});

describe("a grid", () => {
  const grids = Object.keys(GRIDS) as GridName[];
  const processes = Object.entries(LEVELS).map(([name, kind]) => [name, kind.create(OPTIONS)] as const);

  it.each(grids)("%s falls from the noisiest level of any process to the least noisy", (name) => {
    for (const [, own] of processes) {
      const sigmas = GRIDS[name].levels(20, own);
      expect(sigmas).toHaveLength(20);
      expect([...sigmas].sort((a, b) => b - a)).toEqual([...sigmas]);
    }
  });
});
