import * as tf from "@tensorflow/tfjs-core";
import { beforeAll, describe, expect, it } from "vitest";
import type { Backend } from "../../shared/backends/backend.ts";
import { parseJob } from "../../shared/config/load.ts";
import { shuffle, unshuffle } from "../../shared/data/patch.ts";
import { openShapes } from "../../shared/data/sources/shapes.ts";
import { createProcess } from "../../shared/diffusion/process.ts";
import { noiseProcess } from "../../shared/diffusion/processes/index.ts";
import { initialParameters } from "../../shared/nn/init.ts";
import type { Network } from "../../shared/nn/network.ts";
import { createDenoisers } from "../../shared/pipeline/denoiser.ts";
import { createDeviceParams } from "../../shared/pipeline/device-params.ts";
import { createGenerator } from "../../shared/pipeline/generate.ts";
import { weightedTimes } from "../../shared/pipeline/importance.ts";
import { createMicroBatch } from "../../shared/pipeline/micro-batch.ts";
import { buildNetwork } from "../../shared/pipeline/network.ts";
import { drawsOf, PURPOSE } from "../../shared/rng/stream.ts";
import { buildLayout } from "../../shared/tensor/layout.ts";
import { testBackend } from "../support/backend.ts";
import { expectSlopes } from "../support/gradient-check.ts";

let backend: Backend;
beforeAll(async () => {
  backend = await testBackend();
});

const image = { height: 8, width: 8, channels: 1 };

async function tiny(spec = "", diffusion = "labelDrop: 0.1", set: string[] = []) {
  const type = diffusion.includes("cross-entropy") ? "classifier, pool: adaptive" : "unet";
  const text = `
metadata: { name: tiny }
spec:
  data: { source: "shapes:64", imageSize: 8, patch: 2, flip: true }
  model: { type: ${type}, channels: 8, channelMult: [1, 2], groups: 4, attention: [2], classes: 10, dropout: 0.1 }
  diffusion: { ${diffusion.includes("predict") ? "" : "predict: v, "}${diffusion} }
  training: { globalBatch: 16, microBatch: 4 }
  sampling: { sampler: heun } # fits every process
${spec}`;
  const job = parseJob(text, { set });
  const network = await buildNetwork(job.spec, image);
  const layout = buildLayout(network.params);
  const params = createDeviceParams(layout);
  params.load(initialParameters(layout, 3));
  return {
    spec: job.spec,
    network,
    layout,
    params,
    compute: createMicroBatch(job.spec, network, layout, image, backend),
  };
}

/** Weights of a thousand time steps, the last of which is drawn most often. */
const rising = Float64Array.from({ length: 1000 }, (_, t) => t + 1);

/** A network, and the batch sizes that it was asked for. */
function counted(network: Network) {
  const asked: number[] = [];
  const counting: Network = {
    params: network.params,
    forward: (f, input) => {
      asked.push(input.x.shape[0]);
      return network.forward(f, input);
    },
  };
  return { asked, counting };
}

async function batch(step: number, index: number) {
  const set = openShapes(64, 8);
  return { step, index, ...(await set.read([0, 1, 2, 3].map((k) => 4 * index + k))) };
}

describe("a micro-batch", () => {
  it("is a pure function: the same bits again, after other work, and with fresh parameters on the device", async () => {
    const { compute, params, layout } = await tiny();
    const once = new Float32Array(layout.size);
    const again = new Float32Array(layout.size).fill(9);
    const loss = await compute(params, await batch(5, 2), once);
    await compute(params, await batch(6, 1), new Float32Array(layout.size));
    params.load(initialParameters(layout, 3));
    expect(await compute(params, await batch(5, 2), again)).toBe(loss);
    expect(Buffer.from(again.buffer).equals(Buffer.from(once.buffer))).toBe(true);
    expect(await compute(params, await batch(5, 3), again)).not.toBe(loss);
  });

  it.each([
    "labelDrop: 0.1",
    // Not hybrid, which learns of less than its loss depends on.
    "variance: learned-range, objective: vlb",
    "objective: cross-entropy",
    "variance: learned-range, objective: vlb, timestepSampling: loss-second-moment",
  ])("has the gradient that finite differences of its loss have: %s", async (diffusion) => {
    const { compute, params, layout } = await tiny("", diffusion);
    // Away from the zeros of the fresh output convolution, so that every gradient is felt.
    const flat = initialParameters(layout, 3).map((w, k) => w + 0.02 * Math.sin(k));
    const gradient = new Float32Array(layout.size);
    const scratch = new Float32Array(layout.size);
    const weights = diffusion.includes("loss-second-moment") ? rising : undefined;
    const data = { ...(await batch(0, 0)), weights };
    params.load(flat);
    await compute(params, data, gradient);
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

  it("tells the loss of each sample where time steps are drawn by them, and counts each as seldom as it is drawn often", async () => {
    const uniform = await tiny();
    const { compute, params, layout } = await tiny("", "timestepSampling: loss-second-moment");
    const data = await batch(0, 0);
    const [gradient, own] = [new Float32Array(layout.size), new Float32Array(layout.size)];
    const losses = new Float32Array(4);
    const mean = () => losses.reduce((sum, loss) => sum + loss, 0) / 4;
    const plain = await uniform.compute(uniform.params, data, own);
    expect(await compute(params, data, gradient, losses)).toBeCloseTo(plain, 6);
    expect(mean()).toBeCloseTo(plain, 6);
    expect(Math.max(...gradient.map((value, k) => Math.abs(value - own[k]!)))).toBeLessThan(1e-6);

    const weighted = await compute(params, { ...data, weights: rising }, gradient, losses);
    const { t, counts } = weightedTimes(rising, drawsOf({ seed: 0, purpose: PURPOSE.time, step: 0, index: 0 }), 4);
    expect([...counts]).toEqual([...t].map((step) => expect.closeTo(500.5 / (step + 1), 9)));
    expect(weighted).toBeCloseTo(counts.reduce((sum, count, k) => sum + count * losses[k]!, 0) / 4, 9);
    expect(mean()).not.toBeCloseTo(weighted, 2);
  });

  it("tells the network how its images were augmented, which changes a loss as soon as that is learned", async () => {
    const { compute, params, layout } = await tiny("", "labelDrop: 0", ["data.augment=1", "data.flip=false"]);
    const gradient = new Float32Array(layout.size);
    const flat = initialParameters(layout, 3).map((w, k) => w + 0.02 * Math.sin(k));
    const told = layout.tensors.find(({ name }) => name === "augment_embedding.weight")!;
    const losses = [];
    for (const scale of [1, 1, 0]) {
      params.load(flat.map((w, k) => (k >= told.offset && k < told.offset + told.size ? scale * w : w)));
      losses.push(await compute(params, await batch(0, 0), gradient));
      const own = gradient.subarray(told.offset, told.offset + told.size);
      expect(own.some((g) => g !== 0)).toBe(true);
    }
    expect(losses[1]).toBe(losses[0]);
    expect(losses[2]).not.toBe(losses[0]);
  });

  it("leaves no tensor behind in 100 steps", async () => {
    const { compute, params, layout } = await tiny();
    const gradient = new Float32Array(layout.size);
    const data = await batch(0, 0);
    await compute(params, data, gradient);
    const before = tf.memory().numTensors;
    for (let step = 0; step < 100; step++) await compute(params, { ...data, step }, gradient);
    expect(tf.memory().numTensors).toBe(before);
  });

  it("starts at a loss near 1: a fresh network outputs exactly 0", async () => {
    const { compute, params, layout } = await tiny("  seed: 1");
    const loss = await compute(params, await batch(0, 0), new Float32Array(layout.size));
    expect(loss).toBeGreaterThan(0.5);
    expect(loss).toBeLessThan(1.5);
  });
});

describe("generated images", () => {
  it.each([
    ["ancestral", "process: ddpm"],
    ["ancestral", "variance: learned-range, objective: hybrid"],
    ["ancestral", "process: imagen, schedule: linear"],
    ["pc", "process: vp, betaMax: 4"],
    ["euler-maruyama", "process: sub-vp"],
    ["flow", "process: ve"],
    ["dpmpp-2m-sde", "process: ddpm"],
    ["dpm-fast", "process: edm, predict: edm"],
    ["dpm-adaptive", "process: vp"],
  ] as const)("by %s (%s) depend on their own index only, not on their batch", async (sampler, diffusion) => {
    const { spec, network, params, layout } = await tiny("", diffusion);
    params.load(initialParameters(layout, 3).map((w, k) => w + 0.02 * Math.sin(k)));
    const generate = createGenerator({ spec, network, params, image, program: backend.program });
    const done: number[] = [];
    const options = {
      seed: 1,
      sampler,
      steps: 5,
      onStep: (step: number, total: number) => void done.push(step / total),
      eta: 0.5,
      guidance: 2,
    };
    const both = await generate({ ...options, indices: [3, 7], labels: [3, 7] });
    const one = await generate({ ...options, indices: [7], labels: [7] });
    expect([...both.subarray(64)]).toEqual([...one]);
    expect([...both.subarray(0, 64)]).not.toEqual([...one]);
    expect(done.at(-1)).toBe(1);
    expect(done.filter((share, i) => share < (done[i - 1] ?? 0))).toEqual([done[0]]);
  });
});

it.each([
  ["ddim", "process: ddpm"],
  ["heun", "process: vp"],
  ["pc", "process: vp, betaMax: 4"],
] as const)(
  "what is not said of %s (%s) is the sampler's own, whether it is left out or undefined",
  async (sampler, diffusion) => {
    const { spec, network, params, layout } = await tiny("", diffusion);
    params.load(initialParameters(layout, 3).map((w, k) => w + 0.02 * Math.sin(k)));
    const generate = createGenerator({ spec, network, params, image, program: backend.program });
    const wanted = { seed: 1, sampler, steps: 5, guidance: 2, indices: [7], labels: [7] };
    const pixels = await generate(wanted);
    const unsaid = { eta: undefined, grid: undefined, threshold: undefined, percentile: undefined };
    expect([...(await generate({ ...wanted, ...unsaid }))]).toEqual([...pixels]);
    expect(new Set(pixels).size).toBeGreaterThan(9);
  },
);

describe("grids and thresholds", () => {
  it.each([
    ["heun", "process: vp", { grid: "time" }, {}],
    ["dpmpp-2m", "process: edm, predict: edm", { grid: "time-quadratic" }, { grid: "exponential" }],
    ["heun", "process: vp", { threshold: "dynamic", percentile: 80 }, { threshold: "static" }],
    ["ddim", "process: ddpm", { threshold: "none" }, { threshold: "dynamic" }],
    ["ancestral", "process: ddpm", { threshold: "dynamic", percentile: 50 }, { threshold: "dynamic" }],
  ] as const)(
    "of %s (%s) make %j another picture than %j, and the same in any batch",
    async (sampler, diffusion, first, second) => {
      const { spec, network, params, layout } = await tiny("", diffusion);
      params.load(initialParameters(layout, 3).map((w, k) => w + 0.05 * Math.sin(k)));
      const generate = createGenerator({ spec, network, params, image, program: backend.program });
      const drawn = (manner: object, ...indices: number[]) =>
        generate({ seed: 1, sampler, steps: 6, guidance: 2, ...manner, indices, labels: indices });
      const [one, other] = [await drawn(first, 7), await drawn(second, 7)];
      expect([...one]).not.toEqual([...other]);
      expect([...(await drawn(first, 3, 7)).subarray(64)]).toEqual([...one]);
    },
  );
});

describe("a sampler that chooses its own steps", () => {
  it("is given one image at a time, whose steps depend on no other", async () => {
    const { spec, network, params } = await tiny("", "process: vp");
    const { asked, counting } = counted(network);
    const generate = createGenerator({ spec, network: counting, params, image, program: backend.program });
    await generate({ seed: 1, sampler: "flow", steps: 5, guidance: 1, indices: [3, 7], labels: [3, 7] });
    expect(new Set(asked)).toEqual(new Set([1]));
  });
});

describe("classifier-free guidance", () => {
  /** x_0 at one x_t, for two images of class 3, and how many samples the network was asked for. */
  async function denoised(guidance: number, label = 3) {
    const { spec, network, params, layout } = await tiny();
    params.load(initialParameters(layout, 3).map((w, k) => w + 0.02 * Math.sin(k)));
    const { asked, counting } = counted(network);
    const process = createProcess({ schedule: "cosine", timesteps: 1000 });
    const labels = Int32Array.of(label, label);
    const { program } = backend;
    const denoise = createDenoisers({ spec, network: counting, params, program })({ labels, guidance }).byStep(process);
    const x0 = tf.tidy(() =>
      denoise(tf.reshape(tf.linspace(-1, 1, 128), [2, 4, 4, 4]), 500)
        .x0.dataSync()
        .slice(),
    );
    return { x0: [...x0], asked };
  }

  it("1 is plain conditional and costs one evaluation; others take one of twice the batch", async () => {
    expect((await denoised(1)).asked).toEqual([2]);
    expect((await denoised(2)).asked).toEqual([4]);
  });

  it("0 is the unconditional prediction, and s is u + s (c - u)", async () => {
    const conditional = (await denoised(1)).x0;
    const unconditional = (await denoised(1, 10)).x0;
    const [zero, three] = [(await denoised(0)).x0, (await denoised(3)).x0];
    expect(unconditional).not.toEqual(conditional);
    conditional.forEach((c, i) => {
      const u = unconditional[i]!;
      expect(zero[i]).toBeCloseTo(u, 5);
      expect(three[i]).toBeCloseTo(u + 3 * (c - u), 5);
    });
  });
});

describe("the denoiser's forms", () => {
  it.each(["eps", "v", "score"])("by time it is the score of what it is by sigma: a network of %s", async (predict) => {
    const { spec, network, params, layout } = await tiny("", `process: vp, predict: ${predict}`);
    params.load(initialParameters(layout, 3).map((w, k) => w + 0.02 * Math.sin(k)));
    const { program } = backend;
    const denoisers = createDenoisers({ spec, network, params, program })({ labels: Int32Array.of(3, 4), guidance: 2 });
    const { alpha, sigma } = noiseProcess(spec.diffusion).level(0.5);
    tf.tidy(() => {
      const x_t = tf.reshape(tf.linspace(-1, 1, 128), [2, 4, 4, 4]);
      const x0 = denoisers.bySigma({ clip: false })(tf.div(x_t, alpha), sigma / alpha);
      const expected = tf.div(tf.sub(tf.mul(x0, alpha), x_t), sigma * sigma).dataSync();
      const score = denoisers.byTime()(x_t, 0.5).dataSync();
      score.forEach((value, i) => {
        expect(value).toBeCloseTo(expected[i]!, 4);
      });
    });
  });
});

describe("training draws", () => {
  it("the likelihood weights VE's eps by g^2 / sigma^2, the same at every time", async () => {
    const { spec, network, layout, params, compute } = await tiny(
      "",
      "process: ve, predict: eps, sigmaMin: 0.01, sigmaMax: 50",
    );
    const likely = { ...spec, diffusion: { ...spec.diffusion, weighting: "likelihood" } } as const;
    const weighted = createMicroBatch(likely, network, layout, image, backend);
    const [data, gradient] = [await batch(0, 0), new Float32Array(layout.size)];
    const ratio = (await weighted(params, data, gradient)) / (await compute(params, data, gradient));
    expect(ratio).toBeCloseTo(2 * Math.log(5000), 4);
  });

  it("labels are dropped in the asked share: all at 1, so that the class no longer matters", async () => {
    const { compute, params, layout } = await tiny("", "labelDrop: 1");
    const gradient = new Float32Array(layout.size);
    params.load(initialParameters(layout, 3).map((w, k) => w + 0.02 * Math.sin(k)));
    const data = await batch(0, 0);
    const loss = await compute(params, data, gradient);
    expect(await compute(params, { ...data, labels: Int32Array.of(9, 9, 9, 9) }, gradient)).toBe(loss);
    const kept = await tiny("", "labelDrop: 0");
    kept.params.load(initialParameters(layout, 3).map((w, k) => w + 0.02 * Math.sin(k)));
    const own = await kept.compute(kept.params, data, gradient);
    expect(await kept.compute(kept.params, { ...data, labels: Int32Array.of(9, 9, 9, 9) }, gradient)).not.toBe(own);
  });

  it("a label outside the model's classes is refused", async () => {
    const { compute, params, layout } = await tiny();
    const data = { ...(await batch(0, 0)), labels: Int32Array.of(0, 10, 0, 0) };
    await expect(compute(params, data, new Float32Array(layout.size))).rejects.toThrow("label 10");
  });

  it("the gradient does not depend on what was in its memory, and padding stays 0", async () => {
    const { compute, params, layout } = await tiny();
    const gradient = new Float32Array(layout.size).fill(Number.NaN);
    await compute(params, await batch(0, 0), gradient);
    expect(gradient.every(Number.isFinite)).toBe(true);
    for (const { offset, size } of layout.tensors)
      for (let k = offset + size; k < offset + Math.ceil(size / 4) * 4; k++) expect(gradient[k]).toBe(0);
  });
});

describe("pixel unshuffle", () => {
  it.each([1, 2, 4])("by %i is undone exactly, and keeps each patch together", (patch) => {
    const shape = { height: 8, width: 8, channels: 3 };
    const pixels = Uint8Array.from({ length: 2 * 8 * 8 * 3 }, (_, k) => (k * 37) % 251);
    const patched = unshuffle(pixels, shape, patch, new Uint8Array(pixels.length));
    expect(shuffle(patched, shape, patch, new Uint8Array(pixels.length))).toEqual(pixels);
    const corner = Array.from(
      { length: patch * patch },
      (_, k) => pixels[(Math.floor(k / patch) * 8 + (k % patch)) * 3],
    );
    expect(Array.from({ length: patch * patch }, (_, k) => patched[k * 3])).toEqual(corner);
  });
});
