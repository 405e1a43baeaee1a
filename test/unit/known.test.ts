import * as tf from "@tensorflow/tfjs-core";
import { beforeAll, describe, expect, it } from "vitest";
import { parseJob } from "../../shared/config/load.ts";
import { unshuffle } from "../../shared/data/patch.ts";
import { createProcess } from "../../shared/diffusion/process.ts";
import type { Bench } from "../../shared/editing/editor.ts";
import { type HoldName, held } from "../../shared/editing/hold.ts";
import type { Denoisers } from "../../shared/pipeline/denoiser.ts";
import { wayOf } from "../../shared/pipeline/draw.ts";
import { normals, PURPOSE } from "../../shared/rng/stream.ts";
import { ancestralStep } from "../../shared/samplers/ancestral.ts";
import { ddimStep } from "../../shared/samplers/ddim.ts";
import { heldStep, heldWalk } from "../../shared/samplers/held.ts";
import { SAMPLERS } from "../../shared/samplers/index.ts";
import { averaging, CLEAN, colorization, inpainting, type Known } from "../../shared/samplers/known.ts";
import { sample } from "../../shared/samplers/sample.ts";
import type { Sampler, SigmaDenoiser, SigmaSampler } from "../../shared/samplers/sampler.ts";
import { walkThrough } from "../../shared/samplers/walk.ts";
import { testBackend } from "../support/backend.ts";

beforeAll(testBackend);

const SHAPE: [number, number, number, number] = [2, 4, 4, 3];
const gaussian = (step: number, shape: readonly number[] = SHAPE) =>
  tf.tensor(
    normals(
      { seed: 5, purpose: PURPOSE.sampleStep, step, index: 0 },
      shape.reduce((a, b) => a * b, 1),
    ),
    [...shape],
  );
const values = (make: () => tf.Tensor): number[] => tf.tidy(() => [...make().dataSync()]);
const largest = (numbers: readonly number[]): number => Math.max(...numbers.map(Math.abs));

const checkered = () =>
  tf.tensor4d(
    Array.from({ length: 16 }, (_, k) => k % 2),
    [1, 4, 4, 1],
  );
const CASES: readonly (readonly [string, (data: tf.Tensor) => Known])[] = [
  ["a mask's", (data) => inpainting(data, checkered())],
  ["grey", (data) => colorization(data)],
  ["a square's means", (data) => averaging(data, 2, 1)],
];

describe.each(CASES)("the known part of an image that is %s", (_name, knownOf) => {
  const level = { alpha: 0.6, sigma: 0.8 };

  it("is an orthogonal projection: it stays when it is put in again, and what is put in is no part of the rest", () => {
    tf.tidy(() => {
      const [data, x] = [gaussian(0), gaussian(1)];
      const { keep } = knownOf(data);
      const once = keep(x, CLEAN);
      expect(largest(values(() => tf.sub(keep(once, CLEAN), once)))).toBeLessThan(1e-6);
      const change = tf.sub(once, x);
      const rest = tf.sub(once, keep(tf.zerosLike(x), CLEAN));
      expect(Math.abs(values(() => tf.sum(tf.mul(change, rest)))[0]!)).toBeLessThan(1e-4);
      expect(largest(values(() => change))).toBeGreaterThan(0.1);
    });
  });

  it("is noised as the image would be: alpha of it, sigma of noise", () => {
    tf.tidy(() => {
      const [data, x, z] = [gaussian(0), gaussian(1), gaussian(2)];
      const { keep } = knownOf(data);
      const mean = keep(x, { alpha: 0.6, sigma: 0 });
      expect(largest(values(() => tf.sub(keep(x, { alpha: 0.6, sigma: 0.8 }), mean)))).toBe(0);
      const noise = values(() => tf.sub(keep(x, level, z), mean));
      const norm = (numbers: readonly number[]) => numbers.reduce((sum, v) => sum + v * v, 0);
      const share = norm(noise) / norm(values(() => tf.mul(z, 0.8)));
      // As many of the dimensions as are known: half, a third, a quarter.
      expect(share).toBeGreaterThan(0.15);
      expect(share).toBeLessThan(0.65);
    });
  });
});

it.each<[string, (data: tf.Tensor, patch: number) => Known]>([
  ["of grey", (data) => colorization(data)],
  ["of squares of 2", (data, patch) => averaging(data, 2, patch)],
  ["of squares of 8", (data, patch) => averaging(data, 8, patch)],
])("is the same whether pixels are unshuffled or not: %s", (_name, knownOf) => {
  const shape = { height: 8, width: 8, channels: 3 };
  const patched = (x: tf.Tensor) =>
    tf.tensor4d(unshuffle(x.dataSync() as Float32Array, shape, 2, new Float32Array(384)), [2, 4, 4, 12]);
  tf.tidy(() => {
    const [data, x, z] = [0, 1, 2].map((k) => gaussian(k, [2, 8, 8, 3])) as [tf.Tensor, tf.Tensor, tf.Tensor];
    const level = { alpha: 0.6, sigma: 0.8 };
    const plain = patched(knownOf(data, 1).keep(x, level, z));
    const other = knownOf(patched(data), 2).keep(patched(x), level, patched(z));
    expect(largest(values(() => tf.sub(plain, other)))).toBeLessThan(1e-6);
  });
});

/** Two pixels that go together: N(0, VARIANCE) each, correlated by RHO. */
const [VARIANCE, RHO] = [0.25, 0.9];
const N = 2_000;

/** The optimal denoiser: what the sum and the difference of the pixels say by themselves. */
const optimal: SigmaDenoiser = (x, sigma) => {
  const [a, b] = tf.split(x, 2, 2) as [tf.Tensor, tf.Tensor];
  const shrunk = (y: tf.Tensor, variance: number) => tf.mul(y, variance / (variance + sigma * sigma));
  const sum = shrunk(tf.add(a, b), VARIANCE * (1 + RHO));
  const difference = shrunk(tf.sub(a, b), VARIANCE * (1 - RHO));
  return tf.mul(tf.concat([tf.add(sum, difference), tf.sub(sum, difference)], 2), 0.5);
};

/** The first pixel is known, the same everywhere. @returns the mean of the second, and whether the first came back. */
async function secondGivenFirst(held: (known: Known, noise: (call: number) => tf.Tensor) => Promise<tf.Tensor>) {
  const data = tf.tile(tf.tensor4d([0.6, 0], [1, 1, 2, 1]), [N, 1, 1, 1]);
  const known = {
    keep: (...args) => inpainting(data, tf.tensor4d([1, 0], [1, 1, 2, 1])).keep(...args),
  } satisfies Known;
  let calls = 0;
  const x = await held(known, () => gaussian(calls++, [N, 1, 2, 1]));
  const all = x.dataSync();
  tf.dispose([x, data]);
  const pixels = (k: number) => Array.from({ length: N }, (_, i) => all[2 * i + k]!);
  return { first: new Set(pixels(0)), second: pixels(1).reduce((sum, v) => sum + v, 0) / N };
}

/** Replacement draws what is known by itself, so the rest follows it, but not all the way: Lugmayr et al. 2022, Section 4.2. */
function expectDrawnAlong({ first, second }: Awaited<ReturnType<typeof secondGivenFirst>>) {
  expect([...first]).toEqual([Math.fround(0.6)]);
  expect(second).toBeGreaterThan(0.15);
  expect(second).toBeLessThan(RHO * 0.6 + 0.05);
}

/** The same pair by the steps of DDPM, held by a method of editing. */
async function byMethod(hold: HoldName, times: number) {
  const process = createProcess({ schedule: "cosine", timesteps: 1000, respacing: [40] });
  const { spec } = parseJob("metadata: { name: pair }\nspec: { data: { source: 'shapes:' } }");
  const byStep: Denoisers["byStep"] = () => (x, t) => {
    const [alpha, sigma] = [process.sqrtAlphasCumprod[t]!, process.sqrtOneMinusAlphasCumprod[t]!];
    return { x0: optimal(tf.div(x, alpha), sigma / alpha) };
  };
  const unasked = () => {
    throw new Error("only steps were expected");
  };
  const denoise: Denoisers = { byStep, bySigma: unasked, byTime: unasked, levelAt: unasked };
  return secondGivenFirst((known, noise) => {
    const x = tf.zeros([N, 1, 2, 1]) as tf.Tensor4D;
    let calls = 0;
    const way: Bench["way"] = (given = denoise) =>
      wayOf(SAMPLERS.ancestral, { spec, denoise: given, steps: 40, eta: 1 });
    const bench: Bench = { x, indices: [0], denoise, way, noise: () => noise(calls++), onStep: () => {} };
    return held(() => known, { hold, resampling: { times, length: 5 } })(bench).finally(() => x.dispose());
  });
}

it("RePaint draws what goes with the known pixel more than replacement does: the harmony of Lugmayr et al. 2022, Fig. 3", async () => {
  const right = RHO * 0.6;
  const misses = [];
  for (const times of [1, 4, 12]) misses.push(right - (await byMethod("repaint", times)).second);
  expect(misses[0]).toBeGreaterThan(0.05);
  expect(misses[1]).toBeLessThan(misses[0]! / 1.5);
  expect(misses[2]).toBeLessThan(misses[1]!);
  expect(Math.abs(misses[2]!)).toBeLessThan(misses[0]! / 3);
});

describe("a sampler that holds one of two pixels that go together", () => {
  it.each([
    ["ddim", ddimStep],
    ["ancestral", ancestralStep],
  ])("brings it back to the bit, and draws the other along: %s", async (_name, step) => {
    const process = createProcess({ schedule: "cosine", timesteps: 1000, respacing: [60] });
    const outcome = await secondGivenFirst((known, noise) =>
      sample(
        heldStep(step, known),
        (x, t) => {
          const [alpha, sigma] = [process.sqrtAlphasCumprod[t]!, process.sqrtOneMinusAlphasCumprod[t]!];
          return { x0: optimal(tf.div(x, alpha), sigma / alpha) };
        },
        noise(0),
        { process, clip: false, eta: 0, variance: "fixed-small", noise },
      ),
    );
    expectDrawnAlong(outcome);
  });

  const stepwise = Object.entries<Sampler>(SAMPLERS).filter(
    (entry): entry is [string, SigmaSampler] => entry[1].walks === "sigma" && entry[1].stepwise === true,
  );
  it.each(stepwise)("the same by %s", async (_name, sampler) => {
    const sigmas = Float64Array.from({ length: 41 }, (_, i) => (i === 40 ? 0 : 20 * 0.8 ** i));
    const walk = await sampler.load();
    const outcome = await secondGivenFirst((known, noise) =>
      walkThrough(
        heldWalk(walk, known),
        optimal,
        tf.tidy(() => tf.mul(noise(0), 20)),
        sigmas,
        { eta: sampler.eta, noise },
      ),
    );
    expectDrawnAlong(outcome);
  });
});
