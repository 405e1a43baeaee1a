import * as tf from "@tensorflow/tfjs-core";
import { beforeAll, describe, expect, it } from "vitest";
import type { Backend } from "../../shared/backends/backend.ts";
import { type LevelDenoiser, preconditioned } from "../../shared/diffusion/consistency.ts";
import { karras } from "../../shared/diffusion/grids.ts";
import { parameterizationOf } from "../../shared/diffusion/parameterization.ts";
import { at, type LookUp, type Steps } from "../../shared/diffusion/prediction.ts";
import { aimedLoss } from "../../shared/objectives/aim.ts";
import { consistencyAim } from "../../shared/objectives/consistency.ts";
import { adaptiveDecay, halvedScales, progressiveScales } from "../../shared/objectives/curriculum.ts";
import type { DistanceName } from "../../shared/objectives/distance.ts";
import type { Denoisers } from "../../shared/objectives/objective.ts";
import { progressiveAim } from "../../shared/objectives/progressive.ts";
import { normals, PURPOSE } from "../../shared/rng/stream.ts";
import { consistencySteps } from "../../shared/samplers/consistency.ts";
import { walkThrough } from "../../shared/samplers/walk.ts";
import { testBackend } from "../support/backend.ts";

let backend: Backend;
beforeAll(async () => {
  backend = await testBackend();
});

const [MIN, MAX] = [0.002, 80];
const STD = 0.4;
const SHAPE = [4, 2, 2, 1];
const draw = (index: number, size = 16) => normals({ seed: 4, purpose: PURPOSE.noise, step: 0, index }, size);
const weighed = { distance: "l2", weighting: "uniform", sigmaData: 0.5 } as const;

const times = (x: tf.Tensor, factor: (sigma: number) => number, sigma: Steps) => tf.mul(x, at(factor, sigma));
/** For x_0 ~ N(0, STD^2): the optimal denoiser, and where its ODE leads from sigma to MIN. */
const optimal: LevelDenoiser = (x, sigma) => times(x, (s) => STD ** 2 / (STD ** 2 + s * s), sigma);
const exact: LevelDenoiser = (x, sigma) =>
  times(x, (s) => Math.sqrt((STD ** 2 + MIN ** 2) / (STD ** 2 + s * s)), sigma);

const mean = (loss: tf.Tensor): number => tf.mean(loss).dataSync()[0]!;
const images = () => [tf.mul(tf.tensor(draw(0), SHAPE), STD), tf.tensor(draw(1), SHAPE)] as const;

/** The four samples' paths through so many levels. */
const pathOf = (levels: number, i: Steps, [x0, eps] = images()) => {
  const sigmas = karras(levels, MIN, MAX);
  return { x0, eps, sigmas: (k: number) => sigmas[k]!, i };
};

describe("consistency", () => {
  it.each(["l1", "l2", "l2-32"] as DistanceName[])(
    "a consistency function has no loss, a denoiser has: %s",
    (distance) => {
      const path = pathOf(2000, [600, 1200, 1600, 1900]);
      const lossOf = (f: LevelDenoiser, teacher: LevelDenoiser) =>
        mean(aimedLoss({ ...weighed, distance }, f, consistencyAim(path, { target: f, teacher })));
      expect(lossOf(exact, optimal)).toBeLessThan(1e-3 * lossOf(optimal, optimal));
    },
  );

  it("a student of a teacher whose path is straight has no loss", () => {
    const point: LevelDenoiser = (x) => tf.fill(x.shape, 0.25);
    const aim = progressiveAim(pathOf(9, [0, 2, 4, 6]), { target: exact, teacher: point });
    expect(mean(aimedLoss(weighed, point, aim))).toBeLessThan(1e-9);
    expect(mean(aimedLoss(weighed, exact, aim))).toBeGreaterThan(1e-3);
  });

  it("nothing is learned of the target", () => {
    const loss = (own: tf.Tensor, theirs: tf.Tensor) => {
      const aim = consistencyAim(pathOf(10, [1, 3, 5, 7]), { target: (x) => tf.mul(x, theirs) });
      return tf.sum(aimedLoss(weighed, (x) => tf.mul(x, own), aim));
    };
    const [own, theirs] = tf.grads(loss)([tf.scalar(0.5), tf.scalar(0.25)]) as [tf.Tensor, tf.Tensor];
    expect(own.dataSync()[0]).not.toBe(0);
    expect(theirs.dataSync()[0]).toBe(0);
  });

  it("its loss in a recorded computation, whose levels are not known yet, has the bits that it has at once", () => {
    const F = (x: tf.Tensor, label: number | tf.Tensor) => tf.tanh(tf.add(x, tf.mul(label, 1e-3)));
    const online = preconditioned(F, parameterizationOf("consistency", 0.5, MIN));
    const denoisers: Denoisers = { target: exact, teacher: optimal };
    const lossOf = (i: Steps, pair = images()) =>
      aimedLoss(weighed, online, consistencyAim(pathOf(10, i, pair), denoisers));
    let levels: number[] = [];
    const program = backend.program((feed, [x0]) => {
      const i: LookUp = (value) => feed([4, 1, 1, 1], "float32", () => Float32Array.from(levels, value));
      return [lossOf(i, [x0!, feed(SHAPE, "float32", () => draw(1))])];
    });
    for (levels of [
      [0, 3, 5, 8],
      [7, 7, 1, 2],
    ]) {
      const [x0] = images();
      const [recorded] = program.run([x0]);
      expect([...recorded!.dataSync()]).toEqual([...lossOf(levels).dataSync()]);
    }
  });

  it("in one step and in several, its samples have the spread of the data", async () => {
    const N = 20_000;
    for (const sigmas of [Float64Array.of(MAX, MIN), Float64Array.of(MAX, 3, 0.5, MIN)]) {
      const noise = (call: number) => tf.tensor(draw(call, N), [N, 1, 1, 1]);
      const start = tf.tidy(() => tf.mul(noise(9), MAX));
      const x = await walkThrough(consistencySteps, (y, sigma) => exact(y, sigma), start, sigmas, { eta: 1, noise });
      expect(Math.sqrt(mean(tf.square(x)))).toBeCloseTo(STD, 2);
      x.dispose();
    }
  });
});

describe("curricula", () => {
  it("levels grow to their end, and the target slows down with them", () => {
    const grow = { start: 2, end: 150, totalSteps: 1000 };
    expect([0, 1, 1000].map((step) => progressiveScales(step, grow))).toEqual([2, 6, 151]);
    expect(adaptiveDecay(0.95, 2, 3)).toBeCloseTo(0.95, 12);
    expect(adaptiveDecay(0.95, 2, 151)).toBeGreaterThan(0.999);
  });

  it("a student's steps halve with each stage, the last two of twice the length", () => {
    expect([0, 9, 10, 20, 39, 40].map((step) => halvedScales(step, 8, 10))).toEqual([8, 8, 4, 2, 2, 1]);
    expect([0, 30, 40, 70].map((step) => halvedScales(step, 40, 10))).toEqual([40, 5, 2, 1]);
  });
});
