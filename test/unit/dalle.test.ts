// DALL-E's two networks: a dvae's codes, what a transformer learns of captions and codes, and what is drawn code by code.

import * as tf from "@tensorflow/tfjs-core";
import { beforeAll, describe, expect, it } from "vitest";
import type { Backend } from "../../shared/backends/backend.ts";
import { parseJob } from "../../shared/config/load.ts";
import { openScenes } from "../../shared/data/sources/captions.ts";
import { initialParameters } from "../../shared/nn/init.ts";
import { halfCosine } from "../../shared/optim/lr-schedule.ts";
import { createDeviceParams, inference } from "../../shared/pipeline/device-params.ts";
import { createGenerator } from "../../shared/pipeline/generate.ts";
import { createMicroBatch } from "../../shared/pipeline/micro-batch.ts";
import { buildNetwork } from "../../shared/pipeline/network.ts";
import { normalQuantile } from "../../shared/rng/normal-quantile.ts";
import { PURPOSE, uniforms } from "../../shared/rng/stream.ts";
import { categorical } from "../../shared/samplers/categorical.ts";
import { TOKENS, tokensOf } from "../../shared/scenes/tokens.ts";
import { MOST_WORDS } from "../../shared/scenes/words.ts";
import { buildLayout } from "../../shared/tensor/layout.ts";
import { testBackend } from "../support/backend.ts";
import { expectSlopes } from "../support/gradient-check.ts";

let backend: Backend;
beforeAll(async () => {
  backend = await testBackend();
});

const image = { height: 16, width: 16, channels: 3 };
const [K, SIDE] = [6, 2];
const N = SIDE * SIDE;
const SIZE = 16 * 16 * 3;

const JOBS = {
  dvae: `model: { type: dvae, channels: 8, channelMult: [1, 2], groups: 4 }
  diffusion: { objective: elbo }`,
  dalle: `model: { type: dalle, channels: 8, headChannels: 4, layers: 2, text: {} }
  models: { dvae: { from: "file://dvae" } }
  diffusion: { objective: next-token }`,
};

/** @param scale of what moves fresh weights, so that what stands before a token is felt; 0 for a fresh network. */
async function networkOf(name: keyof typeof JOBS, scale: number, ...set: string[]) {
  const job = `
metadata: { name: ${name} }
spec:
  data: { source: "captions:16", imageSize: 16, patch: 4 }
  ${JOBS[name]}
  autoencoder: { codes: ${K}, codeSide: ${SIDE} }
  training: { globalBatch: 16, microBatch: 4 }
  sampling: { sampler: generator, steps: 1 }`;
  const { spec } = parseJob(job, { set });
  const network = await buildNetwork(spec, image);
  const layout = buildLayout(network.params);
  const flat = initialParameters(layout, 3).map((w, k) => w + scale * Math.sin(k));
  const params = createDeviceParams(layout);
  params.load(flat);
  return { spec, network, layout, params, flat, f: inference(params.get) };
}

const scenes = () => openScenes(16, 16, "train").read([0, 1, 2, 3]);
const microBatch = async () => ({ step: 1, index: 2, ...(await scenes()) });

describe("a dvae", () => {
  it("makes the same image of the z that it codes an image by as of its codes", async () => {
    const { network, f } = await networkOf("dvae", 0.3);
    const x = tf.reshape(tf.sin(tf.range(0, 3 * SIZE)), [3, 4, 4, 48]) as tf.Tensor4D;
    const codes = network.codebook!.encode(f, x, null);
    expect(codes.shape).toEqual([3, N]);
    expect(new Set(codes.dataSync()).size).toBeGreaterThan(1);
    const again = network.density!.generate(f, network.density!.encode(f, x, null), null);
    expect([...again.dataSync()]).toEqual([...network.codebook!.decode(f, codes, null).dataSync()]);
  });

  it("relaxes a draw the less, the lower its temperature is", async () => {
    const { network, f } = await networkOf("dvae", 0.3);
    const { evidence, noise } = network.density!;
    const x = tf.reshape(tf.cos(tf.range(0, 2 * SIZE)), [2, 4, 4, 48]) as tf.Tensor4D;
    const u = tf.tensor2d(
      Float32Array.from(uniforms({ seed: 1, purpose: PURPOSE.evidence, step: 0, index: 0 }, 2 * noise.size)),
      [2, noise.size],
    );
    const at = (tau?: number) =>
      evidence(f, x, null, u, tau === undefined ? undefined : () => tf.tensor1d([tau])).distortion.dataSync();
    const [hard, cold, warm] = [at(), at(1e-3), at(1)];
    const off = (other: ArrayLike<number>) => Math.max(...hard.map((value, i) => Math.abs(value - other[i]!)));
    expect(off(cold)).toBeLessThan(1e-2);
    expect(off(warm)).toBeGreaterThan(10 * off(cold));
  });

  it("draws every code of standard normals alike", () => {
    expect(normalQuantile(0.5)).toBe(0);
    for (const [p, z] of [
      [0.975, 1.959963984540054],
      [0.01, -2.326347874040841],
      [1e-6, -4.753424308822899],
    ] as const)
      expect(normalQuantile(p)).toBeCloseTo(z, 7);
  });

  it("is trained at a temperature and a beta of the step", async () => {
    expect([0, 0.5, 1].map((progress) => halfCosine(1, 0.25, progress))).toEqual([1, 0.625, 0.25]);
    const lossAt = async (step: number, ...set: string[]) => {
      const { spec, network, layout, params } = await networkOf("dvae", 0.3, ...set);
      const compute = createMicroBatch(spec, network, layout, image, backend);
      return compute(params, { ...(await microBatch()), step }, new Float32Array(layout.size));
    };
    const grown = ["autoencoder.betaSteps=1", "autoencoder.beta=2"];
    expect(await lossAt(1, ...grown)).toBe(await lossAt(1, "autoencoder.beta=2"));
    expect(await lossAt(0, ...grown)).toBe(await lossAt(0, "autoencoder.beta=0"));
    const short = "autoencoder.temperature.steps=1";
    expect(await lossAt(1, short)).toBe(await lossAt(1, short, "autoencoder.temperature.from=5"));
    expect(await lossAt(0, short)).not.toBe(await lossAt(0, short, "autoencoder.temperature.from=5"));
  });
});

/** A micro-batch of a dalle: its loss, and its gradient. */
async function ran(dalle: Awaited<ReturnType<typeof networkOf>>, params = dalle.params) {
  const { spec, network, layout } = dalle;
  const dvae = await networkOf("dvae", 0.3);
  const compute = createMicroBatch(spec, network, layout, image, backend, { dvae });
  const gradient = new Float32Array(layout.size);
  return { loss: await compute(params, await microBatch(), gradient), gradient };
}

describe("a micro-batch of a dalle", () => {
  it("costs a fresh one what knows nothing: an eighth of the words' logarithm, seven of the codes'", async () => {
    const { loss } = await ran(await networkOf("dalle", 0));
    expect(loss).toBeCloseTo(Math.log(TOKENS - 1 + MOST_WORDS) / 8 + (7 * Math.log(K)) / 8, 5);
  });

  it("is a pure function of its pictures and captions, and has the slope that its loss has in every part", async () => {
    const dalle = await networkOf("dalle", 0.1);
    const { gradient } = await ran(dalle);
    expect((await ran(dalle)).gradient).toEqual(gradient);
    const { layout, params, flat } = dalle;
    const untaught = layout.tensors.filter(({ offset, size }) =>
      gradient.subarray(offset, offset + size).every((g) => !g),
    );
    expect(untaught.map(({ name }) => name)).toEqual([]);
    const dvae = await networkOf("dvae", 0.3);
    const compute = createMicroBatch(dalle.spec, dalle.network, layout, image, backend, { dvae });
    const [data, scratch] = [await microBatch(), new Float32Array(layout.size)];
    const lossAt = (moved: Float32Array) => {
      params.load(moved);
      return compute(params, data, scratch);
    };
    await expectSlopes(
      lossAt,
      flat,
      gradient,
      layout.tensors.filter((_, i) => i % 7 === 0),
    );
  });
});

it("each token is told by those before it alone, the caption's words among them", async () => {
  const { network, f } = await networkOf("dalle", 0.3);
  const said = (caption: string, codes: readonly number[]) => {
    const { words, codes: image } = network.tokens!.next(
      f,
      tf.tensor1d(tokensOf([caption]), "int32"),
      tf.tensor2d([...codes], [1, N], "int32"),
    );
    const rows = (logits: tf.Tensor2D) => logits.arraySync();
    return { words: rows(words!.logits), codes: rows(image.logits) };
  };
  const one = said("red square", [1, 2, 3, 4]);
  const other = said("red square", [1, 5, 3, 4]);
  expect(other.words).toEqual(one.words);
  expect(other.codes.map((row, i) => row.every((value, k) => value === one.codes[i]![k]))).toEqual([
    ...[true, true],
    ...[false, false],
  ]);
  const circle = said("red circle", [1, 2, 3, 4]);
  expect(circle.words.slice(0, 2)).toEqual(one.words.slice(0, 2));
  expect(circle.words[2]).not.toEqual(one.words[2]);
  expect(circle.codes[0]).not.toEqual(one.codes[0]);
});

describe("images that are drawn code by code", () => {
  const drawing = async (...set: string[]) => {
    const [dalle, dvae] = [await networkOf("dalle", 0.3, ...set), await networkOf("dvae", 0.3)];
    const generate = createGenerator({ ...dalle, dvae, image, program: backend.program });
    return async (indices: readonly number[], more = {}) => {
      const captions = indices.map((k) => (k % 2 === 0 ? "red square" : "small blue circle"));
      const how = { seed: 5, sampler: "generator", steps: 1, guidance: 1, labels: null } as const;
      return [...(await generate({ ...how, indices, captions, ...more }))];
    };
  };

  it("depend on their own seed, number and caption, in any batch and order, with guidance too", async () => {
    const draw = await drawing();
    for (const more of [{}, { guidance: 2 }]) {
      const all = await draw([0, 1, 2, 3], more);
      expect([...(await draw([3], more)), ...(await draw([1], more))]).toEqual([
        ...all.slice(3 * SIZE),
        ...all.slice(SIZE, 2 * SIZE),
      ]);
    }
    const all = await draw([0, 1, 2, 3]);
    expect(all.slice(0, SIZE)).not.toEqual(all.slice(2 * SIZE, 3 * SIZE));
    expect(await draw([0, 1, 2, 3], { seed: 6 })).not.toEqual(all);
    expect(await draw([0, 1, 2, 3], { guidance: 9 })).not.toEqual(all);
  });

  it("are the likeliest at every step, whatever the seed, of one code to draw from or where it is cold", async () => {
    const first = await drawing("sampling.topK=1");
    const cold = await drawing("sampling.temperature=0.0001");
    const expected = await first([0, 1]);
    expect(await first([0, 1], { seed: 9 })).toEqual(expected);
    expect(await cold([0, 1])).toEqual(expected);
  });
});

it("a code is drawn as often as it is likely, and of the likeliest alone where they are few", () => {
  const logits = Float32Array.from([0.1, 0.2, 0.3, 0.4], Math.log);
  const counts = (temperature: number, topK: number) => {
    const drawn = Array.from({ length: 1000 }, (_, k) => categorical(logits, k / 1000, { temperature, topK }));
    return [0, 1, 2, 3].map((code) => drawn.filter((each) => each === code).length);
  };
  counts(1, 4).forEach((count, code) => expect(Math.abs(count - 100 * (code + 1))).toBeLessThan(3));
  const [none, few, ...likeliest] = counts(1, 2);
  expect([none, few]).toEqual([0, 0]);
  expect(likeliest[1]! / likeliest[0]!).toBeCloseTo(4 / 3, 1);
  const [a, , , b] = counts(0.5, 4);
  expect(b! / a!).toBeCloseTo(16, 0);
});
