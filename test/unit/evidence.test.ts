// Models that know a density, or a bound on one: their bits, their gradients, their inverses.

import * as tf from "@tensorflow/tfjs-core";
import { beforeAll, describe, expect, it } from "vitest";
import type { Backend } from "../../shared/backends/backend.ts";
import { parseJob } from "../../shared/config/load.ts";
import { openShapes } from "../../shared/data/sources/shapes.ts";
import { logMeanExp } from "../../shared/eval/density-bits.ts";
import { createBits } from "../../shared/eval/model-bits.ts";
import { buildFlow, type FlowConfig } from "../../shared/models/flow.ts";
import { NETWORKS, type NetworkName } from "../../shared/models/index.ts";
import { buildVae } from "../../shared/models/vae.ts";
import type { VaeConfig } from "../../shared/models/vae-parts.ts";
import { initialParameters } from "../../shared/nn/init.ts";
import { discretizedLogistic, discretizedLogitLaplace } from "../../shared/nn/log-likelihood.ts";
import type { Network } from "../../shared/nn/network.ts";
import { createDeviceParams, inference } from "../../shared/pipeline/device-params.ts";
import { createGenerator } from "../../shared/pipeline/generate.ts";
import { createMicroBatch } from "../../shared/pipeline/micro-batch.ts";
import { buildNetwork } from "../../shared/pipeline/network.ts";
import { buildLayout } from "../../shared/tensor/layout.ts";
import { testBackend } from "../support/backend.ts";
import { patterned, slopeError } from "../support/gradient-check.ts";

let backend: Backend;
beforeAll(async () => {
  backend = await testBackend();
});

const image = { height: 8, width: 8, channels: 1 };
const OBJECTIVES = { bound: "elbo", density: "likelihood" } as const;
const TYPES = (Object.keys(NETWORKS) as NetworkName[]).filter((type) => NETWORKS[type].gives in OBJECTIVES);

async function tiny(type: NetworkName, beta = 1) {
  const objective = OBJECTIVES[NETWORKS[type].gives as keyof typeof OBJECTIVES];
  const { spec } = parseJob(`
metadata: { name: tiny }
spec:
  seed: 3
  data: { source: "shapes:64", imageSize: 8, patch: 2, flip: true }
  model: { type: ${type}, channels: 8, channelMult: [1, 2], groups: 4, layers: 2, classes: 10 }
  diffusion: { objective: ${objective} }
  training: { globalBatch: 16, microBatch: 4 }
  autoencoder: { beta: ${beta}, codes: 6, latentChannels: 8 }
  sampling: { sampler: generator, steps: 1 }`);
  const network = await buildNetwork(spec, image);
  return { spec, network, ...lively(network) };
}

/** Away from the zeros of fresh output convolutions. */
function lively({ params: declared }: Network) {
  const layout = buildLayout(declared);
  const params = createDeviceParams(layout);
  const flat = initialParameters(layout, 3).map((w, k) => w + 0.05 * Math.sin(k));
  params.load(flat);
  return { layout, params, flat, f: inference(params.get) };
}

/** Tensors that lie behind each other and whose names begin alike: what layers of a block have. */
function partsOf({ tensors }: ReturnType<typeof buildLayout>) {
  const blockOf = (name: string) => name.split(".").slice(0, 4).join(".");
  return [...new Set(tensors.map(({ name }) => blockOf(name)))].map((block) => {
    const own = tensors.filter(({ name }) => blockOf(name) === block);
    const { offset, size } = own.at(-1)!;
    return { offset: own[0]!.offset, size: offset + size - own[0]!.offset };
  });
}

const batch = async () => ({ step: 2, index: 1, ...(await openShapes(64, 8).read([3, 1, 4, 15])) });

describe.each(TYPES)("a %s", (type) => {
  it("has the gradient that finite differences of its loss have, in every part that is felt", async () => {
    const { spec, network, layout, params, flat } = await tiny(type);
    const compute = createMicroBatch(spec, network, layout, image, backend);
    const gradient = new Float32Array(layout.size);
    const scratch = new Float32Array(layout.size);
    const data = await batch();
    await compute(params, data, gradient);
    const lossAt = (moved: Float32Array) => {
      params.load(moved);
      return compute(params, data, scratch);
    };
    const felt: number[] = [];
    const parts = partsOf(layout);
    for (const part of parts) {
      const error = await slopeError(lossAt, flat, gradient, part, { least: 1e-5, step: 2e-3 });
      if (error !== null) felt.push(error);
    }
    expect(felt.length).toBeGreaterThan(parts.length / 2);
    for (const error of felt) expect(error).toBeLessThan(0.1);
  });

  it("draws an image of its own seed, label and weights alone, however many are drawn with it", async () => {
    const { spec, network, params } = await tiny(type);
    const generate = createGenerator({ spec, network, params, image, program: backend.program });
    const wanted = { seed: 5, sampler: "generator", steps: 1, guidance: 1 } as const;
    const draw = async (...indices: number[]) => [
      ...(await generate({ ...wanted, indices, labels: indices.map((k) => k % 10) })),
    ];
    const all = await draw(0, 1, 2, 3);
    expect([...(await draw(3)), ...(await draw(1))]).toEqual([...all.slice(3 * 64), ...all.slice(64, 2 * 64)]);
    expect([...(await generate({ ...wanted, indices: [0], labels: [7] }))]).not.toEqual(all.slice(0, 64));
  });

  it("tells bits of each image by itself, and a tighter bound the more it draws", async () => {
    const { spec, network, params } = await tiny(type);
    const bits = createBits({ spec, network, params, image, program: backend.program, seed: 1 });
    const { pixels, labels } = await openShapes(64, 8).read([0, 1, 2, 3, 4, 5, 6, 7]);
    const given = { pixels, labels, ids: [0, 1, 2, 3, 4, 5, 6, 7] };
    const all = await bits.measure(given, () => {});
    const some = { pixels: pixels.subarray(2 * 64, 4 * 64), labels: labels.subarray(2, 4), ids: [2, 3] };
    expect([...(await bits.measure(some, () => {}))]).toEqual([...all.slice(2, 4)]);
    const mean = (values: Float64Array) => values.reduce((sum, value) => sum + value, 0) / values.length;
    const bound = async (draws: number) => mean(await bits.weighted!(given, draws, () => {}));
    const [one, many] = [await bound(1), await bound(32)];
    expect(many).toBeLessThan(one);
    expect(Math.abs(one - mean(all))).toBeLessThan(1);
  });
});

it("a weight of the KL divergence of 0 leaves the distortion, of more than 1 costs more", async () => {
  const lossOf = async (beta: number) => {
    const { spec, network, layout, params } = await tiny("vae", beta);
    const compute = createMicroBatch(spec, network, layout, image, backend);
    return compute(params, await batch(), new Float32Array(layout.size));
  };
  const [none, one, two] = [await lossOf(0), await lossOf(1), await lossOf(2)];
  expect(none).toBeLessThan(one);
  expect(two - one).toBeCloseTo(one - none, 4);
});

const BYTES = Array.from({ length: 256 }, (_, k) => k / 127.5 - 1);

it.each([
  ["logistic", discretizedLogistic, [-7, -4, -1, 1]],
  ["logit-Laplace", discretizedLogitLaplace, [-5, -2, 0, 3]],
] as const)(
  "the masses of all bytes under a discretized %s distribution add up to 1, wherever it lies and however wide it is",
  (_, logMass, logScales) => {
    for (const mean of [-1.4, -0.3, 0, 0.996])
      for (const logScale of logScales) {
        const logP = logMass(tf.tensor1d(BYTES), tf.fill([256], mean), tf.fill([256], logScale));
        expect(tf.sum(tf.exp(logP)).dataSync()[0]).toBeCloseTo(1, 3);
      }
  },
);

it("the mass of a byte under a discretized logit-Laplace is the density of Ramesh et al. 2021, Eq. 2, times its width", () => {
  const [eps, mu, b] = [0.1, 0.4, 0.7];
  const width = (1 - 2 * eps) / 255;
  const logP = discretizedLogitLaplace(tf.tensor1d(BYTES), tf.fill([256], mu), tf.fill([256], Math.log(b))).dataSync();
  for (const k of [1, 60, 128, 200, 254]) {
    const x = k * width + eps;
    const density = Math.exp(-Math.abs(Math.log(x / (1 - x)) - mu) / b) / (2 * b * x * (1 - x));
    expect(Math.exp(logP[k]!) / (density * width)).toBeCloseTo(1, 2);
  }
});

it("the mean of exponentials is taken without leaving the range of numbers", () => {
  expect(logMeanExp([-2000, -2000 + Math.log(3)])).toBeCloseTo(-2000 + Math.log(2), 9);
});

describe("a variational autoencoder", () => {
  const config: VaeConfig = {
    ...{ height: 4, width: 4, channels: 2, latentChannels: 3, widths: [8, 8], resBlocks: 1 },
    ...{ attentionLevels: [], groups: 4, dropout: 0, classes: 0 },
  };

  it("has the KL divergence in closed form that its draws have in the mean", async () => {
    const { evidence, latent } = buildVae(config).density;
    const { f } = lively(buildVae(config));
    const n = 2000;
    const x = tf.tile(patterned([1, 4, 4, 2], 1), [n, 1, 1, 1]) as tf.Tensor4D;
    const { distortion, rate, logWeight } = evidence(f, x, null, tf.randomNormal([n, latent], 0, 1, "float32", 7));
    const kl = tf.neg(tf.mean(tf.add(logWeight, distortion))).dataSync()[0]!;
    const exact = rate!.dataSync()[0]!;
    expect(exact).toBeGreaterThan(0.1);
    expect(Math.abs(kl - exact)).toBeLessThan(0.05 * exact + 0.15);
  });
});

describe("a normalizing flow", () => {
  const config: FlowConfig = { height: 4, width: 4, channels: 2, hidden: [8, 8], steps: 2, classes: 3 };
  const y = () => tf.tensor1d([2, 0, 1], "int32");

  it("is undone by its inverse, as far as float32 goes, under each class", () => {
    const flow = buildFlow({ ...config, channels: 5, steps: 4 });
    const { f } = lively(flow);
    const x = patterned([3, 4, 4, 5], 1) as tf.Tensor4D;
    const { z } = flow.encode(f, x, y());
    expect(z.shape).toEqual([3, 80]);
    expect(tf.max(tf.abs(tf.sub(flow.decode(f, z, y()), x))).dataSync()[0]).toBeLessThan(1e-5);
    const other = flow.decode(f, z, tf.tensor1d([0, 1, 2], "int32"));
    expect(tf.max(tf.abs(tf.sub(other, x))).dataSync()[0]).toBeGreaterThan(1e-3);
  });

  it("has the log-determinant of its Jacobian, by differences in every direction", () => {
    const flow = buildFlow(config);
    const { f } = lively(flow);
    const D = 32;
    const x = patterned([1, 4, 4, 2], 1);
    const h = 1 / 128;
    const zAt = (sign: number): Float32Array => {
      const moved = tf.add(x, tf.reshape(tf.mul(tf.eye(D), sign * h), [D, 4, 4, 2])) as tf.Tensor4D;
      return flow.encode(f, moved, tf.fill([D], 1, "int32") as tf.Tensor1D).z.dataSync<"float32">();
    };
    const [up, down] = [zAt(1), zAt(-1)];
    const J = Array.from({ length: D }, (_, i) =>
      Array.from({ length: D }, (__, j) => (up[i * D + j]! - down[i * D + j]!) / (2 * h)),
    );
    const { logDet } = flow.encode(f, x as tf.Tensor4D, tf.tensor1d([1], "int32"));
    expect(logDet.dataSync()[0]).toBeCloseTo(logDeterminant(J), 2);
  });

  it("of the plane has a density that integrates to 1", () => {
    const flow = buildFlow({ height: 1, width: 1, channels: 2, hidden: [8], steps: 3, classes: 0 });
    const { f } = lively(flow);
    const [n, side] = [160, 12];
    const cell = side / n;
    const at = (k: number) => (k + 0.5) * cell - side / 2;
    const points = Array.from({ length: n * n }, (_, k) => [at(Math.floor(k / n)), at(k % n)]).flat();
    const { z, logDet } = flow.encode(f, tf.tensor4d(points, [n * n, 1, 1, 2]), null);
    const logP = tf.sub(tf.add(logDet, tf.mul(tf.sum(tf.square(z), 1), -0.5)), Math.log(2 * Math.PI));
    expect(tf.sum(tf.exp(logP)).dataSync()[0]! * cell ** 2).toBeCloseTo(1, 2);
  });

  it("starts as a permutation, whose density is that of its prior", () => {
    const flow = buildFlow({ ...config, classes: 0 });
    const params = createDeviceParams(buildLayout(flow.params));
    params.load(initialParameters(buildLayout(flow.params), 1));
    const x = patterned([1, 4, 4, 2], 1) as tf.Tensor4D;
    const { z, logDet } = flow.encode(inference(params.get), x, null);
    expect([...z.dataSync()].sort()).toEqual([...x.dataSync()].sort());
    expect(Math.abs(tf.sum(logDet).dataSync()[0]!)).toBe(0);
  });
});

/** ln |det| by elimination with pivots. */
function logDeterminant(rows: number[][]): number {
  let sum = 0;
  const left = rows.map((row) => [...row]);
  while (left.length > 0) {
    left.sort((a, b) => Math.abs(b[0]!) - Math.abs(a[0]!));
    const [pivot, ...rest] = left as [number[], ...number[][]];
    sum += Math.log(Math.abs(pivot[0]!));
    left.length = 0;
    left.push(...rest.map((row) => row.slice(1).map((value, j) => value - (row[0]! / pivot[0]!) * pivot[j + 1]!)));
  }
  return sum;
}
