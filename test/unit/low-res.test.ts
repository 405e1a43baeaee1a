// What an upsampler is told of an image: in training, when it draws, and inside its network.

import * as tf from "@tensorflow/tfjs-core";
import { beforeAll, describe, expect, it } from "vitest";
import type { Backend } from "../../shared/backends/backend.ts";
import { parseJob } from "../../shared/config/load.ts";
import type { JobSpec } from "../../shared/config/schema.ts";
import { magnified } from "../../shared/data/resize.ts";
import { openShapes } from "../../shared/data/sources/shapes.ts";
import { initialParameters } from "../../shared/nn/init.ts";
import { createDeviceParams } from "../../shared/pipeline/device-params.ts";
import { createGenerator } from "../../shared/pipeline/generate.ts";
import { augmented, type LowRes, sampledLowRes, shrunk, trainingLowRes } from "../../shared/pipeline/low-res.ts";
import { createMicroBatch } from "../../shared/pipeline/micro-batch.ts";
import { buildNetwork } from "../../shared/pipeline/network.ts";
import type { SamplerName } from "../../shared/samplers/index.ts";
import { buildLayout } from "../../shared/tensor/layout.ts";
import { flat, type Nested } from "../golden/arrays.ts";
import { loadFamily } from "../golden/load.ts";
import { testBackend } from "../support/backend.ts";

let backend: Backend;
beforeAll(async () => {
  backend = await testBackend();
});

const image = { height: 8, width: 8, channels: 1 };

const specOf = (lowRes = "size: 4", more = ""): JobSpec =>
  parseJob(`
metadata: { name: tiny }
spec:
  data: { source: "shapes:64", imageSize: 8, patch: 2, flip: true }
  model: { channels: 8, channelMult: [1, 2], groups: 4, classes: 10, lowRes: { ${lowRes} } }
  diffusion: { predict: v, variance: learned-range, objective: hybrid }
  sampling: { sampler: heun }
${more}`).spec;

const pixelsOf = async (...ids: number[]) => (await openShapes(64, 8).read(ids)).pixels;
const told = (spec: JobSpec, pixels: Uint8Array, at = { step: 3, index: 1 }): LowRes =>
  trainingLowRes(spec, image, pixels, at)!;

/** A network away from the zeros of a fresh one, so that all of it is felt. */
async function opened(spec: JobSpec) {
  const network = await buildNetwork(spec, image);
  const layout = buildLayout(network.params);
  const params = createDeviceParams(layout);
  params.load(initialParameters(layout, 3).map((w, k) => w + 0.05 * Math.sin(k)));
  return { spec, network, layout, params };
}

describe("the image at a lower resolution", () => {
  it("is the mean of each of its squares, rounded", () => {
    const pixels = Uint8Array.of(0, 2, 10, 10, 4, 6, 10, 11, 100, 100, 0, 0, 100, 100, 0, 255);
    expect([...shrunk(pixels, { height: 4, width: 4, channels: 1 }, 2)]).toEqual([3, 10, 100, 64]);
  });

  it("grows between the middles of its pixels, as torch's bilinear interpolation without aligned corners", () => {
    const spec = { ...specOf("size: 2"), data: { ...specOf().data, patch: 1 as const } };
    const large = { height: 4, width: 4, channels: 1 };
    const pixels = Uint8Array.from([0, 0, 255, 255].flatMap((v) => [v, v, v, v]));
    const { images, levels } = trainingLowRes(spec, large, pixels, { step: 0, index: 0 })!;
    expect([...images]).toEqual([-1, -0.5, 0.5, 1].flatMap((v) => [v, v, v, v]));
    expect(levels).toBeNull();
  });

  it("is that of the image that is trained on, mirrored where that is", async () => {
    const spec = specOf();
    const pixels = await pixelsOf(5);
    const mirrored = pixels.map((_, k) => pixels[k - (k % 8) + 7 - (k % 8)]!);
    const [plain, other] = [told(spec, pixels).images, told(spec, mirrored).images];
    const row = (images: Float32Array, y: number) => Array.from({ length: 8 }, (_, x) => images[at(y, x)]!);
    for (let y = 0; y < 8; y++) expect(row(other, y)).toEqual(row(plain, y).reverse());
    expect(other).not.toEqual(plain);
  });

  it("is blurred for half of the images in training, by their micro-batch's own draw, and never when it draws", async () => {
    const [plain, soft] = [specOf(), specOf("size: 4, blur: 0.8")];
    const ids = Array.from({ length: 40 }, (_, k) => k);
    const pixels = await pixelsOf(...ids);
    const changed = (at?: { step: number; index: number }): number[] => {
      const [a, b] = [plain, soft].map((spec) => told(spec, pixels, at).images) as [Float32Array, Float32Array];
      return ids.filter((i) => a.subarray(64 * i, 64 * (i + 1)).some((value, k) => value !== b[64 * i + k]));
    };
    expect(changed().length).toBeGreaterThan(8);
    expect(changed().length).toBeLessThan(32);
    expect(changed()).toEqual(changed());
    expect(changed({ step: 4, index: 1 })).not.toEqual(changed());
    const small = { pixels: shrunk(pixels, image, 4), noise: 0 };
    const drawn = (spec: JobSpec) => sampledLowRes(spec, image, small, { seed: 0, indices: ids });
    expect(drawn(soft)).toEqual(drawn(plain));
  });

  it("is nothing for other networks", async () => {
    const { model, ...rest } = specOf();
    const plain = { ...rest, model: { ...model, lowRes: undefined } };
    expect(trainingLowRes(plain, image, await pixelsOf(5), { step: 0, index: 0 })).toBeNull();
  });

  it("is shown in squares, whatever its size", () => {
    const [small, large] = [
      { height: 2, width: 2, channels: 1 },
      { height: 3, width: 3, channels: 1 },
    ];
    expect([...magnified(Uint8Array.of(1, 2, 3, 4), small, large)]).toEqual([1, 1, 2, 1, 1, 2, 3, 3, 4]);
  });
});

/** Where a pixel of an image lies as the network sees it: [4, 4, 2 2]. */
const at = (y: number, x: number) => (Math.floor(y / 2) * 4 + Math.floor(x / 2)) * 4 + (y % 2) * 2 + (x % 2);

describe("conditioning augmentation", () => {
  it("noises as imagen-pytorch does", () => {
    const cases = loadFamily("text_conditional")!;
    const { params, inputs, expected } = cases.find(({ name }) => name === "noise_conditioning_augmentation")!;
    const [images, noise] = [inputs.lowres_image, inputs.noise].map((array) =>
      Float32Array.from(flat(array as Nested)),
    );
    const s = new Float64Array((inputs.lowres_image as unknown[]).length).fill(
      params.lowres_sample_noise_level as number,
    );
    const theirs = flat(expected.lowres_noised as Nested);
    augmented(images!, s, noise!).forEach((value, k) => expect(value).toBeCloseTo(theirs[k]!, 6));
  });

  it("draws a level for each image, up to the job's, by step and micro-batch, and tells it in steps of 1000", async () => {
    const spec = specOf("size: 4, noise: 0.5");
    const pixels = await pixelsOf(...Array.from({ length: 64 }, (_, k) => k));
    const { levels } = told(spec, pixels);
    const sorted = [...levels!].sort((a, b) => a - b);
    expect(sorted[0]).toBeGreaterThanOrEqual(0);
    expect(sorted.at(-1)).toBeLessThan(500);
    expect(sorted[32]).toBeGreaterThan(150);
    expect(sorted[32]).toBeLessThan(350);
    expect(told(spec, pixels).levels).toEqual(levels);
    expect(told(spec, pixels, { step: 4, index: 1 }).levels).not.toEqual(levels);
    expect(told(spec, pixels, { step: 3, index: 2 }).levels).not.toEqual(levels);
  });

  it("leaves nothing of an image at s = 1", async () => {
    const spec = specOf("size: 4, noise: 1");
    const images = await Promise.all([5, 6].map(async (id) => shrunk(await pixelsOf(id), image, 4)));
    const [a, b] = images.map((pixels) =>
      sampledLowRes(spec, image, { pixels, noise: 1 }, { seed: 0, indices: [7] }),
    ) as [LowRes, LowRes];
    a.images.forEach((value, k) => expect(Math.abs(value - b.images[k]!)).toBeLessThan(0.02));
    expect([...a.levels!]).toEqual([1000]);
  });
});

describe("an upsampler's network", () => {
  it("has the gradient that finite differences of its loss have, and none of its level is lost", async () => {
    const spec = specOf("size: 4, noise: 0.5");
    const { network, layout, params } = await opened(spec);
    const compute = createMicroBatch(spec, network, layout, image, backend);
    const batch = { step: 0, index: 0, ...(await openShapes(64, 8).read([0, 1, 2, 3])) };
    const gradient = new Float32Array(layout.size);
    const loss = await compute(params, batch, gradient);
    const again = new Float32Array(layout.size);
    expect(await compute(params, batch, again)).toBe(loss);
    expect(again).toEqual(gradient);
    const { offset, size } = layout.tensors.find(({ name }) => name === "aug_embedding.linear_1.weight")!;
    expect(Math.max(...gradient.subarray(offset, offset + size).map(Math.abs))).toBeGreaterThan(0);
  });

  it("is refused images that are no larger than what it is told, or not square", async () => {
    for (const wrong of [
      { height: 4, width: 4 },
      { height: 8, width: 16 },
    ])
      await expect(buildNetwork(specOf(), { ...wrong, channels: 1 })).rejects.toThrow(
        `model.lowRes.size 4 is no lower resolution of the data's images, which are ${wrong.width}x${wrong.height}`,
      );
  });

  it("asks for its images", async () => {
    const { network, params } = await opened(specOf());
    const input = { x: tf.zeros([1, 4, 4, 4]) as tf.Tensor4D, t: tf.tensor1d([3]), y: tf.tensor1d([0], "int32") };
    expect(() => network.forward({ param: params.get, dropout: (x) => x }, input)).toThrow(
      "an upsampler was given no low-resolution images",
    );
  });
});

describe("an upsampled image", () => {
  const cases: readonly (readonly [SamplerName, string, number])[] = [
    ["ddim", "size: 4", 2],
    ["ancestral", "size: 4, noise: 0.5", 1],
    ["heun", "size: 3, noise: 0.5", 1.5],
    ["dpm-adaptive", "size: 4", 1],
  ];

  async function drawing(lowRes: string) {
    const spec = specOf(lowRes);
    const all = await pixelsOf(0, 1, 2, 3, 4, 5);
    const { size, noise } = spec.model.lowRes!;
    const small = shrunk(all, image, size);
    const generate = createGenerator({ ...(await opened(spec)), image, program: backend.program });
    return (sampler: SamplerName, guidance: number, indices: readonly number[], from = indices) =>
      generate({
        ...{ indices, labels: indices.map((k) => k % 10), seed: 1, sampler, steps: 5, guidance },
        lowRes: {
          pixels: Uint8Array.from(from.flatMap((k) => [...small.subarray(k * size * size, (k + 1) * size * size)])),
          noise: noise / 2,
        },
      });
  }

  it.each(cases)(
    "by %s (%s, guidance %d) depends on its own small image and index alone",
    async (sampler, lowRes, s) => {
      const draw = await drawing(lowRes);
      const six = await draw(sampler, s, [0, 1, 2, 3, 4, 5]);
      const alone = await draw(sampler, s, [4]);
      expect(Buffer.from(alone)).toEqual(Buffer.from(six.subarray(4 * 64, 5 * 64)));
      expect(Buffer.from(await draw(sampler, s, [4], [2]))).not.toEqual(Buffer.from(alone));
      expect(Buffer.from(await draw(sampler, s, [3], [4]))).not.toEqual(Buffer.from(alone));
    },
  );
});
