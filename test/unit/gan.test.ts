import * as tf from "@tensorflow/tfjs-core";
import { beforeAll, describe, expect, it } from "vitest";
import type { Backend } from "../../shared/backends/backend.ts";
import { parseJob } from "../../shared/config/load.ts";
import { openShapes } from "../../shared/data/sources/shapes.ts";
import { NETWORKS, type NetworkName, plays } from "../../shared/models/index.ts";
import { initialParameters } from "../../shared/nn/init.ts";
import { eagerProgram } from "../../shared/nn/program.ts";
import { spectralNorm } from "../../shared/nn/spectral-norm.ts";
import { PENALTIES } from "../../shared/objectives/adversarial/index.ts";
import { r1 } from "../../shared/objectives/adversarial/penalties.ts";
import { createDeviceParams, inference } from "../../shared/pipeline/device-params.ts";
import { createGenerator } from "../../shared/pipeline/generate.ts";
import { createMicroBatch } from "../../shared/pipeline/micro-batch.ts";
import { buildNetwork } from "../../shared/pipeline/network.ts";
import { buildLayout, spanOf } from "../../shared/tensor/layout.ts";
import { testBackend } from "../support/backend.ts";
import { gradientErrors, patterned, slopeError } from "../support/gradient-check.ts";

let backend: Backend;
beforeAll(async () => {
  backend = await testBackend();
});

const image = { height: 8, width: 8, channels: 1 };
const GAMES = (Object.keys(NETWORKS) as NetworkName[]).filter(plays);

async function tiny(type: NetworkName, adversarial = "", classes = 10) {
  const { spec } = parseJob(`
metadata: { name: tiny }
spec:
  seed: 3
  data: { source: "shapes:64", imageSize: 8, flip: true }
  model: { type: ${type}, channels: 8, channelMult: [1, 2], classes: ${classes} }
  diffusion: { objective: non-saturating }
  adversarial: { latent: 4, ${adversarial} }
  training: { globalBatch: 16, microBatch: 4 }
  sampling: { sampler: generator, steps: 1 }`);
  const network = await buildNetwork(spec, image);
  const layout = buildLayout(network.params);
  const params = createDeviceParams(layout);
  const flat = initialParameters(layout, 3).map((w, k) => w + 0.02 * Math.sin(k));
  params.load(flat);
  const compute = createMicroBatch(spec, network, layout, image, backend);
  return { spec, network, layout, params, flat, compute };
}

const batch = async (step: number) => ({ step, index: 1, ...(await openShapes(64, 8).read([3, 1, 4, 15])) });
async function inTurn<A, B>(all: readonly A[], of: (one: A) => Promise<B>): Promise<B[]> {
  const found: B[] = [];
  for (const one of all) found.push(await of(one));
  return found;
}

const NOTHING = { pixels: new Uint8Array(0), labels: new Int32Array(0) };
/** The discriminator moves at even steps, the generator at odd ones. */
const batchOf = async (step: number) => (step % 2 === 0 ? batch(step) : { step, index: 1, ...NOTHING });

describe.each(GAMES)("the networks of %s", (type) => {
  it.each([0, 1])(
    "have a gradient of whoever moves at step %i alone, the one that finite differences of the loss have",
    async (step) => {
      const { layout, params, flat, compute } = await tiny(type);
      const gradient = new Float32Array(layout.size).fill(9);
      const scratch = new Float32Array(layout.size);
      const data = await batchOf(step);
      await compute(params, data, gradient);
      const { from, to } = spanOf(layout, step === 0 ? "discriminator." : "generator.");
      gradient.forEach((g, k) => {
        if (k < from || k >= to) expect(g).toBe(0);
      });
      const lossAt = (moved: Float32Array) => {
        params.load(moved);
        return compute(params, data, scratch);
      };
      const own = layout.tensors.filter(({ offset }) => offset >= from && offset < to);
      const errors = await inTurn(own, (tensor) =>
        slopeError(lossAt, flat, gradient, tensor, { least: 1e-4, step: 5e-4 }),
      );
      const felt = errors.filter((error) => error !== null);
      expect(felt.length).toBeGreaterThan(own.length / 2);
      for (const error of felt) expect(error).toBeLessThan(0.1);
    },
  );

  it("draw an image of its own seed, label and weights alone, however many are drawn with it, in one evaluation", async () => {
    const { spec, network, params } = await tiny(type);
    const evaluated: number[] = [];
    const onEvaluation = (images: number) => void evaluated.push(images);
    const generate = createGenerator({ spec, network, params, image, program: backend.program, onEvaluation });
    const wanted = { seed: 5, sampler: "generator", steps: 1, guidance: 1 } as const;
    const labels = (indices: number[]) => indices.map((k) => k % 10);
    const draw = async (...indices: number[]) => [...(await generate({ ...wanted, indices, labels: labels(indices) }))];
    const all = await draw(0, 1, 2, 3, 4);
    expect([...(await draw(3, 4)), ...(await draw(1))]).toEqual([...all.slice(3 * 64), ...all.slice(64, 2 * 64)]);
    expect(evaluated).toEqual([5, 2, 1]);
    expect(new Set(all).size).toBeGreaterThan(10);
    const otherLabel = await generate({ ...wanted, indices: [0], labels: [7] });
    expect([...otherLabel]).not.toEqual(all.slice(0, 64));
  });

  it("hold each weight of the discriminator to a singular value of 1 where the job says so", async () => {
    const free = await tiny(type);
    const held = await tiny(type, "spectralNorm: true");
    const logits = ({ network, params }: typeof free, scale: number) =>
      tf.tidy(() => {
        const f = inference((name) =>
          name.endsWith("weight") ? tf.mul(params.get(name), scale) : tf.zerosLike(params.get(name)),
        );
        const y = tf.tensor1d([0, 1, 2], "int32");
        return [...network.game!.discriminate(f, patterned([3, 8, 8, 1], 4) as tf.Tensor4D, y).dataSync()];
      });
    logits(held, 3).forEach((logit, i) => {
      expect(logit).toBeCloseTo(logits(held, 1)[i]!, 3);
    });
    expect(Math.abs(logits(free, 3)[0]! / logits(free, 1)[0]!)).toBeGreaterThan(3);
  });
});

describe.each(Object.keys(PENALTIES) as (keyof typeof PENALTIES)[])("a micro-batch with the penalty %s", (penalty) => {
  it("gives in a recorded computation the bits that it gives at once, with other images and weights", async () => {
    const { spec, network, layout, params } = await tiny("gan-resnet", `penalty: ${penalty}, spectralNorm: true`);
    const program = (computation: Parameters<Backend["program"]>[0]) => eagerProgram(tf, computation);
    const eager = createMicroBatch(spec, network, layout, image, { program });
    const recorded = createMicroBatch(spec, network, layout, image, backend);
    for (const step of [0, 1, 2, 3]) {
      params.load(initialParameters(layout, step));
      const data = await batchOf(step);
      const [once, again] = [new Float32Array(layout.size), new Float32Array(layout.size)];
      expect(await recorded(params, data, again)).toBe(await eager(params, data, once));
      expect(Buffer.from(again.buffer).equals(Buffer.from(once.buffer))).toBe(true);
    }
  });
});

it("an unconditional game has no embedding, and needs no label", async () => {
  const { layout, params, compute } = await tiny("dcgan", "", 0);
  expect(layout.tensors.some(({ name }) => name.includes("class_"))).toBe(false);
  const data = { ...(await batch(0)), labels: Int32Array.of(-1, -1, -1, -1) };
  expect(Number.isFinite(await compute(params, data, new Float32Array(layout.size)))).toBe(true);
});

describe("second derivatives", () => {
  it.each([
    [1, 3, 1],
    [2, 4, 1],
    [2, 2, 0],
  ])("of a convolution of stride %i and kernel %i are what finite differences have", (stride, kernel, pad) => {
    const padding: [[0, 0], [number, number], [number, number], [0, 0]] = [
      [0, 0],
      [pad, pad],
      [pad, pad],
      [0, 0],
    ];
    const slope = (x: tf.Tensor, w: tf.Tensor) =>
      tf.grad((at: tf.Tensor) => tf.sum(tf.tanh(tf.conv2d(at as tf.Tensor4D, w as tf.Tensor4D, stride, padding))))(x);
    const given = [patterned([2, 6, 6, 2], 1), patterned([kernel, kernel, 2, 8], 2)];
    for (const error of gradientErrors((x, w) => slope(x!, w!), given, 5e-3)) expect(error).toBeLessThan(0.02);
  });

  it.each([
    ["dcgan", () => true],
    ["gan-mlp", () => true],
    // A scale of one branch is none of the sum.
    ["gan-resnet", (name: string) => /discriminator\.(in|out)\./.test(name)],
  ] as const)(
    "of R1 obey Euler's theorem in the weights of %s: it is of second degree in each",
    async (type, among) => {
      const { network, layout, params } = await tiny(type, "", 0);
      const own = layout.tensors.filter(({ name }) => name.startsWith("discriminator."));
      const f = (tensors: tf.Tensor[]) =>
        inference((name) => {
          const tensor = tensors[own.findIndex((each) => each.name === name)]!;
          return name.endsWith("bias") ? tf.zerosLike(tensor) : tensor; // of which it is of no degree
        });
      const penalty = (...tensors: tf.Tensor[]) => {
        const at = f(tensors);
        const critic = (x: tf.Tensor) => network.game!.discriminate(at, x as tf.Tensor4D, null);
        return r1(critic, patterned([3, 8, 8, 1], 7), 2);
      };
      const weights = own.map(({ name }) => params.get(name));
      const { value, grads } = tf.valueAndGrads(penalty)(weights);
      const [total] = value.dataSync();
      expect(total).toBeGreaterThan(1e-3);
      const found = own.flatMap(({ name }, i) =>
        name.endsWith("weight") && among(name) ? [tf.sum(tf.mul(grads[i]!, weights[i]!)).dataSync()[0]! / total!] : [],
      );
      expect(found.length).toBeGreaterThan(1);
      for (const degree of found) expect(degree).toBeCloseTo(2, 3);
    },
  );

  it("of the spectral norm: its gradient is u v^T", () => {
    const W = patterned([5, 7], 3) as tf.Tensor2D;
    const u0 = patterned([5], 4) as tf.Tensor1D;
    for (const error of gradientErrors((w) => spectralNorm(w as tf.Tensor2D, u0, 200), [W]))
      expect(error).toBeLessThan(0.01);
  });
});
