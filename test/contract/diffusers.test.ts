// What plume writes for Python's diffusers, and what diffusers writes, against the real library: npm run setup:python.

import { readFileSync, writeFileSync } from "node:fs";
import * as tf from "@tensorflow/tfjs-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { readCheckpoint } from "../../shared/checkpoint/read.ts";
import { writeCheckpoint } from "../../shared/checkpoint/write.ts";
import { parseJob } from "../../shared/config/load.ts";
import type { Job } from "../../shared/config/schema.ts";
import { createProcess } from "../../shared/diffusion/process.ts";
import { readWeights } from "../../shared/interop/export.ts";
import { filesOf } from "../../shared/interop/formats.ts";
import { withInit, writeStart } from "../../shared/interop/import.ts";
import { jobOf, skeletonOf } from "../../shared/interop/job.ts";
import { readModelFolder } from "../../shared/interop/read.ts";
import { weightsFor } from "../../shared/interop/weights.ts";
import { writeFolder } from "../../shared/interop/write.ts";
import { AUGMENT_WEIGHT } from "../../shared/models/unet-config.ts";
import { initialParameters } from "../../shared/nn/init.ts";
import { createDenoisers } from "../../shared/pipeline/denoiser.ts";
import { createDeviceParams } from "../../shared/pipeline/device-params.ts";
import { buildNetwork } from "../../shared/pipeline/network.ts";
import { ddimStep } from "../../shared/samplers/ddim.ts";
import { sample } from "../../shared/samplers/sample.ts";
import { memoryStore } from "../../shared/store/memory.ts";
import { buildLayout } from "../../shared/tensor/layout.ts";
import { testBackend } from "../support/backend.ts";
import { compare, type NetworkCase, noise, plumeForward, toNchw, toNhwc } from "../support/forward.ts";
import { scratchFolder } from "../support/plume.ts";
import { diffusers, type Task } from "../support/python.ts";

const scratch = scratchFolder();
afterAll(() => scratch[Symbol.dispose]());
const backend = testBackend();

const CASES: Readonly<Record<string, { readonly spec: string; readonly channels: number }>> = {
  "convolutions, scale and shift, labels, patches, v": {
    channels: 1,
    spec: `data: { source: "shapes:64", imageSize: 16, patch: 2 }
  model: { channels: 8, channelMult: [1, 2], groups: 4, classes: 10 }
  diffusion: { predict: v }`,
  },
  "residual resampling, a summed embedding, heads, no labels, eps, linear": {
    channels: 3,
    spec: `data: { source: "shapes:64", imageSize: 8 }
  model: { channels: 16, channelMult: [1, 2], groups: 8, attention: [8, 4], headChannels: 8, scaleShift: false, resample: resblock }
  diffusion: { predict: eps, schedule: linear, variance: fixed-small }`,
  },
  "convolutions, a summed embedding, one head, labels, x0, few timesteps": {
    channels: 1,
    spec: `data: { source: "shapes:64", imageSize: 8 }
  model: { channels: 8, channelMult: [1, 2], groups: 4, attention: [4], scaleShift: false, classes: 3 }
  diffusion: { predict: x0, timesteps: 24 }
  sampling: { steps: 24 }`,
  },
  "a learned variance": {
    channels: 1,
    spec: `data: { source: "shapes:64", imageSize: 8, patch: 2 }
  model: { channels: 8, channelMult: [1, 2], groups: 4, classes: 3 }
  diffusion: { variance: learned-range, objective: hybrid }`,
  },
  "an upsampler, whose input is x_t and the grown image": {
    channels: 1,
    spec: `data: { source: "shapes:64", imageSize: 8, patch: 2 }
  model: { channels: 8, channelMult: [1, 2], groups: 4, classes: 3, lowRes: { size: 4 } }
  diffusion: { predict: v }`,
  },
  "augmented images, of which diffusers' network is told nothing": {
    channels: 1,
    spec: `data: { source: "shapes:64", imageSize: 8, patch: 2, augment: 0.12 }
  model: { channels: 8, channelMult: [1, 2], groups: 4, classes: 3 }`,
  },
  "residual resampling, scale and shift, heads, labels, two blocks a level, linear over 200 timesteps": {
    channels: 1,
    spec: `data: { source: "shapes:64", imageSize: 16, patch: 4 }
  model: { channels: 16, channelMult: [1, 1], resBlocks: 2, groups: 4, attention: [2], headChannels: 4, resample: resblock, classes: 4 }
  diffusion: { predict: v, schedule: linear, timesteps: 200 }`,
  },
};

const imageOf = ({ spec }: Pick<Job, "spec">, channels: number) => ({
  height: spec.data.imageSize,
  width: spec.data.imageSize,
  channels,
});

/** Weights that leave no part of the network at rest: a fresh one returns 0. */
async function lively(job: Job, channels: number) {
  const layout = buildLayout((await buildNetwork(job.spec, imageOf(job, channels))).params);
  const flat = initialParameters(layout, 3);
  const shaken = noise(7, layout.size);
  const value = (i: number) => flat[i]! + 0.05 * shaken[i]!;
  return { layout, shard: (index: number) => floats(layout.shards[index]!, value) };
}

const floats = ({ offset, size }: { offset: number; size: number }, value: (i: number) => number) =>
  Float32Array.from({ length: size }, (_, i) => value(offset + i));

/** A checkpoint of such weights, exported; and what to ask of it. */
async function exported(name: string) {
  const { spec, channels } = CASES[name]!;
  const job = parseJob(`metadata: { name: tiny }\nspec:\n  ${spec}`);
  const { imageSize, patch } = job.spec.data;
  const set = {
    name: "shapes:64",
    size: 64,
    digest: "d".repeat(64),
    height: imageSize,
    width: imageSize,
    channels,
    classes: [],
  };
  const { layout, shard } = await lively(job, channels);
  const store = memoryStore();
  await writeCheckpoint(store, { job, layout, step: 5, set, vectors: { params: shard, ema: shard } });
  const folder = scratch.file(name.replaceAll(/\W+/g, "-"));
  writeFolder(folder, filesOf("diffusers", await readWeights(store, "latest", "ema")), false);
  const side = imageSize / patch;
  const { classes, lowRes } = job.spec.model;
  const shape = [3, channels * patch * patch * (lowRes ? 2 : 1), side, side] as const;
  const T = job.spec.diffusion.timesteps;
  const asked: NetworkCase = {
    shape,
    x: Array.from(noise(11, shape[0] * shape[1] * side * side)),
    t: [0, T >> 1, T - 1],
    y: classes > 0 ? [0, classes - 1, classes] : null, // the last is "no label"
    ...(lowRes && { upsampler: true }),
  };
  return { folder, job, channels, asked, set };
}

type Exported = Awaited<ReturnType<typeof exported>>;
const all = new Map<string, Exported>();
/** Python's answers by task and case. */
const theirs = new Map<string, unknown>();

beforeAll(async () => {
  await backend;
  const tasks: { key: string; task: Task }[] = [];
  for (const name of Object.keys(CASES)) {
    const each = await exported(name);
    all.set(name, each);
    for (const kind of ["forward", "alphas", "config"])
      tasks.push({ key: `${kind} ${name}`, task: { kind, folder: each.folder, ...each.asked } });
    if (each.job.spec.diffusion.timesteps <= 50)
      tasks.push({ key: `ddim ${name}`, task: { kind: "ddim", folder: each.folder, ...each.asked } });
    if (each.asked.y === null) tasks.push({ key: `pipeline ${name}`, task: { kind: "pipeline", folder: each.folder } });
  }
  diffusers(tasks.map(({ task }) => task)).forEach((result, i) => theirs.set(tasks[i]!.key, result));
});

describe.each(Object.keys(CASES))("an exported folder of %s", (name) => {
  it("loads as a UNet2DModel that computes what plume computes", async () => {
    const { folder, job, channels, asked } = all.get(name)!;
    const { values } = await weightsFor(job.spec, imageOf(job, channels), readModelFolder(folder));
    const ours = plumeForward(await buildNetwork(job.spec, imageOf(job, channels)), values, asked);
    const { worst, largest } = compare(ours, theirs.get(`forward ${name}`) as number[]);
    expect(largest).toBeGreaterThan(0.1);
    expect(worst).toBeLessThan(1e-5);
  });

  it("loads as a DDPMScheduler of plume's process", () => {
    const { schedule, timesteps, predict, variance } = all.get(name)!.job.spec.diffusion;
    const { alphasCumprod } = createProcess({ schedule, timesteps });
    const found = theirs.get(`alphas ${name}`) as number[];
    expect(found).toHaveLength(timesteps);
    expect(compare(Array.from(alphasCumprod), found).worst).toBeLessThan(1e-6);
    expect(theirs.get(`config ${name}`)).toMatchObject({
      prediction_type: { eps: "epsilon", x0: "sample", v: "v_prediction" }[predict as "eps" | "x0" | "v"],
      variance_type: variance.replace("-", "_"),
      clip_sample: true,
    });
  });

  it("comes back to the bit, without what only training is told", async () => {
    const { folder, job, channels } = all.get(name)!;
    const { layout, shard } = await lively(job, channels);
    const { values } = await weightsFor(job.spec, imageOf(job, channels), readModelFolder(folder));
    for (const { index, offset, tensors } of layout.shards) {
      const whole = shard(index);
      for (const { name, size, offset: at } of tensors)
        expect(values.get(name)).toEqual(
          name === AUGMENT_WEIGHT ? new Float32Array(size) : whole.slice(at - offset, at - offset + size),
        );
    }
  });
});

describe("an exported folder", () => {
  it("samples in Python as in plume, from the same noise", async () => {
    const name = "convolutions, a summed embedding, one head, labels, x0, few timesteps";
    const { folder, job, channels, asked } = all.get(name)!;
    const network = await buildNetwork(job.spec, imageOf(job, channels));
    const layout = buildLayout(network.params);
    const { values } = await weightsFor(job.spec, imageOf(job, channels), readModelFolder(folder));
    const flat = new Float32Array(layout.size);
    for (const { name: tensor, offset } of layout.tensors) flat.set(values.get(tensor)!, offset);
    const params = createDeviceParams(layout);
    params.load(flat);
    const process = createProcess({ schedule: job.spec.diffusion.schedule, timesteps: job.spec.diffusion.timesteps });
    const { program } = await backend;
    const denoiser = createDenoisers({ spec: job.spec, network, params, program });
    const x = await sample(
      ddimStep,
      denoiser({ labels: Int32Array.from(asked.y!), guidance: 1 }).byStep(process),
      toNhwc(asked.x, asked.shape),
      { process, clip: true, eta: 0, variance: "fixed-small", noise: () => tf.scalar(0) },
    );
    const { worst, largest } = compare(toNchw(x), theirs.get(`ddim ${name}`) as number[]);
    expect(largest).toBeGreaterThan(0.5);
    expect(worst).toBeLessThan(1e-3);
  });

  it("is a DDPMPipeline where that can call it: without labels and patches", () => {
    const name = "residual resampling, a summed embedding, heads, no labels, eps, linear";
    expect(theirs.get(`pipeline ${name}`)).toEqual([2, 8, 8, 3]);
    for (const [other, { folder }] of all)
      if (other !== name) expect(() => readFileSync(`${folder}/model_index.json`)).toThrow(/ENOENT/);
  });

  it("is refused when its weights are not those that plume.json names", () => {
    const { folder } = all.get(Object.keys(CASES)[2]!)!;
    const file = `${folder}/unet/diffusion_pytorch_model.safetensors`;
    const bytes = readFileSync(file);
    bytes[bytes.length - 5]! ^= 1;
    writeFileSync(file, bytes);
    expect(() => readModelFolder(folder)).toThrow(expect.objectContaining({ code: "DATA_LOSS" }));
    bytes[bytes.length - 5]! ^= 1;
    writeFileSync(file, bytes);
  });
});

describe("a UNet2DModel that plume did not write", () => {
  const unet = {
    sample_size: 8,
    in_channels: 1,
    out_channels: 1,
    block_out_channels: [16, 32],
    layers_per_block: 1,
    down_block_types: ["DownBlock2D", "AttnDownBlock2D"],
    up_block_types: ["AttnUpBlock2D", "UpBlock2D"],
    norm_num_groups: 8,
    attention_head_dim: 8,
    num_class_embeds: 5,
  };
  const scheduler = { num_train_timesteps: 100, beta_schedule: "squaredcos_cap_v2", prediction_type: "v_prediction" };
  const folder = scratch.file("foreign");
  const x = Array.from(noise(5, 2 * 64));
  const asked: NetworkCase = { shape: [2, 1, 8, 8], x, t: [3, 90], y: [0, 4] };
  let output: number[];
  const job = () => parseJob(skeletonOf(readModelFolder(folder)).replace("images:DIR", "shapes:64"));

  beforeAll(() => {
    const made = { kind: "make", folder, seed: 1, unet, scheduler };
    output = diffusers([made, { kind: "forward", folder, ...asked }])[1] as number[];
  });

  it("computes in plume what it computes in Python, with a row more for no label", async () => {
    const { spec } = jobOf(readModelFolder(folder));
    expect(spec).toMatchObject({
      data: { imageSize: 8, patch: 1 },
      model: { channels: 16, channelMult: [1, 2], attention: [4], headChannels: 8, scaleShift: false, classes: 5 },
      diffusion: { schedule: "cosine", timesteps: 100, predict: "v", variance: "fixed-small" },
    });
    const { values } = await weightsFor(spec, imageOf({ spec }, 1), readModelFolder(folder));
    const { worst, largest } = compare(
      plumeForward(await buildNetwork(spec, imageOf({ spec }, 1)), values, asked),
      output,
    );
    expect(largest).toBeGreaterThan(0.1);
    expect(worst).toBeLessThan(1e-5);
    const rows = values.get("class_embedding.weight")!;
    expect(rows).toHaveLength(6 * 64);
    expect(rows.slice(5 * 64).every((value) => value === 0)).toBe(true);
  });

  it("becomes a checkpoint at step 0: parameters and EMA alike, moments of zero, its digest in the job", async () => {
    const weights = await weightsFor(job().spec, imageOf(job(), 1), readModelFolder(folder));
    const named = withInit(job(), weights);
    const set = { name: "shapes:64", size: 64, digest: "d".repeat(64), height: 8, width: 8, channels: 1, classes: [] };
    const store = memoryStore();
    expect(await writeStart(store, named, set, weights)).toBe(true);
    expect(await writeStart(store, named, set, weights)).toBe(false);
    const { state, job: kept, vectors } = await readCheckpoint(store, "latest");
    expect(state).toMatchObject({ step: 0, epoch: 0, cursor: 0 });
    expect(kept.spec.training.init).toBe(weights.sha256);
    expect(vectors.params).toEqual(vectors.ema);
    expect(vectors.params).toEqual(weights.values);
    for (const moment of ["moments.m", "moments.v"])
      for (const values of vectors[moment]!.values()) expect(values.every((value) => value === 0)).toBe(true);
  });

  it("is refused by every field in which the job's model and process differ", async () => {
    const { spec } = job();
    const other = {
      ...spec,
      model: {
        ...spec.model,
        channels: 8,
        resBlocks: 2,
        attention: [],
        headChannels: 8,
        groups: 4,
        scaleShift: true,
        classes: 2,
      },
      diffusion: { ...spec.diffusion, predict: "eps" as const, timesteps: 50 },
    };
    const message = await weightsFor(other, imageOf({ spec }, 3), readModelFolder(folder)).then(
      () => "it was taken",
      (error: Error) => error.message,
    );
    for (const field of [
      "data.patch",
      "model.channels and model.channelMult",
      "model.resBlocks",
      "model.attention",
      "model.headChannels",
      "model.groups",
      "model.scaleShift",
      "model.classes",
      "diffusion.timesteps: the folder has 100, the job 50",
      'diffusion.predict: the folder has "v", the job "eps"',
    ])
      expect(message).toContain(field);
  });

  it.each<[string, "unet" | "scheduler", Record<string, unknown>]>([
    ["time_embedding_type", "unet", { time_embedding_type: "fourier" }],
    ["flip_sin_to_cos", "unet", { flip_sin_to_cos: false }],
    ["center_input_sample", "unet", { center_input_sample: true }],
    ["class_embed_type", "unet", { class_embed_type: "timestep", num_class_embeds: null }],
    ["block_out_channels", "unet", { block_out_channels: "wide" }],
    ["num_train_timesteps", "unet", { num_train_timesteps: 1000 }],
    ["beta_schedule", "scheduler", { beta_schedule: "scaled_linear" }],
    ["beta_end", "scheduler", { beta_schedule: "linear", beta_start: 0.001, beta_end: 0.05 }],
    ["trained_betas", "scheduler", { trained_betas: Array.from({ length: 100 }, () => 0.01) }],
    ["clip_sample", "scheduler", { clip_sample: false }],
    ["thresholding", "scheduler", { thresholding: true }],
    ["rescale_betas_zero_snr", "scheduler", { rescale_betas_zero_snr: true }],
    ["variance_type", "scheduler", { variance_type: "learned" }],
    ["_class_name", "scheduler", { _class_name: "PNDMScheduler" }],
  ])("is refused by the name of a field that plume has not: %s", (field, where, change) => {
    const file = where === "unet" ? `${folder}/unet/config.json` : `${folder}/scheduler/scheduler_config.json`;
    const before = readFileSync(file, "utf8");
    try {
      writeFileSync(file, JSON.stringify({ ...JSON.parse(before), ...change }));
      expect(() => readModelFolder(folder)).toThrow(
        expect.objectContaining({ code: "FAILED_PRECONDITION", message: expect.stringContaining(field) }),
      );
    } finally {
      writeFileSync(file, before);
    }
  });
});
