import * as tf from "@tensorflow/tfjs-core";
import { beforeAll, describe, expect, it } from "vitest";
import type { Backend } from "../../shared/backends/backend.ts";
import { parseJob } from "../../shared/config/load.ts";
import type { JobSpec } from "../../shared/config/schema.ts";
import { openShapes } from "../../shared/data/sources/shapes.ts";
import { noiseProcess, type ProcessName } from "../../shared/diffusion/processes/index.ts";
import { type Bench, createEditor, type EditorOptions, imageKey, type Subjects } from "../../shared/editing/editor.ts";
import { type HoldName, held } from "../../shared/editing/hold.ts";
import { decoded, encoded, slerp } from "../../shared/editing/interpolation.ts";
import { areaMask, randomMask } from "../../shared/editing/masks.ts";
import { stretchesOf } from "../../shared/editing/resampling.ts";
import { beginnings, edited } from "../../shared/editing/sdedit.ts";
import { initialParameters } from "../../shared/nn/init.ts";
import type { Denoisers } from "../../shared/pipeline/denoiser.ts";
import { createDeviceParams } from "../../shared/pipeline/device-params.ts";
import { wayOf } from "../../shared/pipeline/draw.ts";
import { buildNetwork } from "../../shared/pipeline/network.ts";
import { scaled, seen, shown } from "../../shared/pipeline/pixels.ts";
import { normals, PURPOSE } from "../../shared/rng/stream.ts";
import { fitsProcess, inverts, levelSampler, SAMPLER_NAMES, type SamplerName } from "../../shared/samplers/index.ts";
import { averaging, inpainting, type Known } from "../../shared/samplers/known.ts";
import { buildLayout } from "../../shared/tensor/layout.ts";
import { testBackend } from "../support/backend.ts";

let backend: Backend;
beforeAll(async () => {
  backend = await testBackend();
});

const image = { height: 8, width: 8, channels: 1 };
const SIZE = 64;
const COUNT = 3;

const specOf = (diffusion: string): JobSpec =>
  parseJob(`
metadata: { name: tiny }
spec:
  data: { source: "shapes:64", imageSize: 8, patch: 2 }
  model: { channels: 8, channelMult: [1, 2], groups: 4, classes: 10 }
  diffusion: { ${diffusion} }
  training: { globalBatch: 16, microBatch: 4 }
  sampling: { sampler: heun } # fits every process
`).spec;

const pixels = async () => (await openShapes(64, 8).read([4, 9, 17])).pixels;

/** An untrained network whose answers are no zeros, and images to edit. */
async function studio(diffusion: string, options: Partial<EditorOptions> = {}) {
  const spec = specOf(`predict: v, ${diffusion}`);
  const network = await buildNetwork(spec, image);
  const layout = buildLayout(network.params);
  const params = createDeviceParams(layout);
  params.load(initialParameters(layout, 3).map((w, k) => w + 0.02 * Math.sin(k)));
  const { program } = backend;
  const common = { spec, network, params, program, image, sampler: "heun" as const, steps: 5, guidance: 2, seed: 1 };
  const edit = createEditor({ ...common, batch: 8, ...options });
  const before = await pixels();
  const keys = Array.from({ length: COUNT }, (_, k) => imageKey(before.subarray(k * SIZE, (k + 1) * SIZE)));
  const subjects: Subjects = { values: seen(scaled(before), image, 2), keys, labels: [4, 9, 10] };
  return { edit, before, subjects };
}

const reversed = ({ values, keys, labels }: Subjects): Subjects => ({
  values: Float32Array.from(values, (_, k) => values[(COUNT - 1 - Math.floor(k / SIZE)) * SIZE + (k % SIZE)]!),
  keys: keys.toReversed(),
  labels: labels!.toReversed(),
});

const known = new Float32Array(SIZE).map((_, k) => 1 - areaMask("left", image)[k]!);
const keptOf = ({ x }: Bench): Known => ({
  keep: (y, level, z) => inpainting(x, tf.tensor4d(seen(known, image, 2), [1, 4, 4, 4])).keep(y, level, z),
});
const resampling = { times: 3, length: 2 };

const HELD: readonly (readonly [SamplerName, HoldName, string])[] = [
  ["ddim", "replacement", "process: ddpm"],
  ["ancestral", "repaint", "process: ddpm, variance: learned-range, objective: hybrid"],
  ["heun", "replacement", "process: ddpm"],
  ["euler-ancestral", "repaint", "process: vp"],
  ["pc", "replacement", "process: vp, betaMax: 4"],
  ["euler-maruyama", "repaint", "process: sub-vp"],
  ["pc", "null-space", "process: ve"],
  ["flow", "null-space", "process: vp"],
  ["heun", "repaint", "process: edm"],
  ["dpmpp-2m", "null-space", "process: edm"],
  ["dpm-adaptive", "null-space", "process: ddpm"],
];

describe.each(HELD)("inpainting by %s and %s (%s)", (sampler, hold, diffusion) => {
  const task = held(keptOf, { hold, resampling });

  it("brings the known pixels back to the byte, and others than were there", async () => {
    const { edit, before, subjects } = await studio(diffusion, { sampler });
    const after = shown(await edit(subjects, task), image, 2);
    const differ = before.map((value, k) => Number(value !== after[k]));
    expect(differ.filter((_, k) => known[k % SIZE] === 1)).not.toContain(1);
    expect(differ.filter((_, k) => known[k % SIZE] === 0)).toContain(1);
  });

  it("makes the same of an image alone, among others and in another order, and leaves no tensor", async () => {
    const [eight, one] = [await studio(diffusion, { sampler }), await studio(diffusion, { sampler, batch: 1 })];
    const together = await eight.edit(eight.subjects, task);
    const tensors = tf.memory().numTensors;
    expect([...(await one.edit(one.subjects, task))]).toEqual([...together]);
    const turned = { values: await eight.edit(reversed(eight.subjects), task), keys: [], labels: [] };
    expect([...reversed(turned).values]).toEqual([...together]);
    expect(tf.memory().numTensors).toBe(tensors);
  });
});

describe("RePaint", () => {
  /** get_schedule_jump of the authors' code, with a jump_n_sample of r: the time steps after each other, t_T - 1 first, -1 last. */
  function authors(steps: number, r: number, j: number): number[] {
    const jumps = new Map<number, number>();
    for (let t = 0; t < steps - j; t += j) jumps.set(t, r - 1);
    const ts: number[] = [];
    for (let t = steps; t >= 1; ) {
      ts.push(--t);
      const left = jumps.get(t) ?? 0;
      if (left === 0) continue;
      jumps.set(t, left - 1);
      for (let k = 0; k < j; k++) ts.push(++t);
    }
    return [...ts, -1];
  }

  it.each([
    [50, 10, 10],
    [250, 10, 10],
    [20, 3, 1],
    [7, 2, 3],
    [9, 4, 8],
  ])("walks %d steps as the authors' schedule does, r = %d, j = %d", (steps, times, length) => {
    const turns: number[] = [];
    const along = authors(steps, times, length);
    along.forEach((t, i) => {
      const [last, next] = [along[i - 1] ?? steps, along[i + 1] ?? 0];
      if (i === 0 || i === along.length - 1 || t < last !== next < t) turns.push(steps - 1 - t);
    });
    expect(stretchesOf(steps, { times, length }).flatMap(({ from, to }) => [from, to])).toEqual(turns);
  });

  it("once is replacement", async () => {
    const { edit, subjects } = await studio("process: ddpm", { sampler: "ancestral" });
    const by = (hold: HoldName, times: number) =>
      edit(subjects, held(keptOf, { hold, resampling: { times, length: 2 } })).then((values) => [...values]);
    const replaced = await by("replacement", 9);
    expect(await by("repaint", 1)).toEqual(replaced);
    expect(await by("repaint", 2)).not.toEqual(replaced);
  });

  it("counts its steps to the end, and can be stopped at any without a tensor left", async () => {
    const { edit, subjects } = await studio("process: edm");
    const task = held(keptOf, { hold: "repaint", resampling });
    await edit(subjects, task);
    const tensors = tf.memory().numTensors;
    const seenSteps: number[] = [];
    const stopped = edit(subjects, task, ({ step, steps }) => {
      seenSteps.push(step);
      expect(steps).toBe(5 + 2 * 2 * 2);
      if (step === 7) throw new Error("stopped");
    });
    await expect(stopped).rejects.toThrow("stopped");
    expect(seenSteps).toEqual([1, 2, 3, 4, 5, 6, 7]);
    expect(tf.memory().numTensors).toBe(tensors);
  });
});

it("super-resolution keeps the means of squares on an unshuffled image", async () => {
  const { edit, subjects } = await studio("process: vp");
  const task = held(({ x }) => averaging(x, 4, 2), { hold: "replacement", resampling });
  const after = await edit(subjects, task);
  const meansOf = (values: Float32Array) =>
    Array.from({ length: values.length / 16 }, (_, k) => {
      // A square of 4 pixels a side is 2 by 2 cells of 4 values.
      const [first, row] = [Math.floor(k / 4) * SIZE + (k % 2) * 8, Math.floor((k % 4) / 2) * 32];
      const cells = [0, 16].flatMap((down) => [...values.subarray(first + row + down, first + row + down + 8)]);
      return cells.reduce((sum, v) => sum + v, 0) / 16;
    });
  const [given, made] = [meansOf(subjects.values), meansOf(after)];
  made.forEach((mean, k) => expect(Math.abs(mean - given[k]!)).toBeLessThan(1e-5));
});

describe("SDEdit", () => {
  it.each([
    ["ddim", "process: ddpm"],
    ["ancestral", "process: ddpm"],
    ["dpmpp-2m", "process: edm"],
    ["euler-vp", "process: vp"],
    ["pc", "process: ve"],
    ["flow", "process: vp"],
    ["dpm-adaptive", "process: edm"],
  ] as const)(
    "returns the image as the strength goes to 0, and forgets it towards 1: %s (%s)",
    async (sampler, diffusion) => {
      const { edit, before, subjects } = await studio(diffusion, { sampler, steps: 40, guidance: 1 });
      const distance = async (strength: number) => {
        const after = shown(await edit(subjects, edited(strength)), image, 2);
        return Math.max(...before.map((value, k) => Math.abs(value - after[k]!)));
      };
      expect(await distance(0.001)).toBe(0);
      const [little, much] = [await distance(0.03), await distance(0.9)];
      expect(much).toBeGreaterThan(little);
    },
  );

  it("shows the x that it begins with: noise of its own for each image, the same for the outcome", async () => {
    const { edit, subjects } = await studio("process: ddpm", { sampler: "ddim" });
    const [half, all] = [await edit(subjects, beginnings(0.4)), await edit(subjects, beginnings(1))];
    const apart = (values: Float32Array) => values.reduce((sum, v, k) => sum + (v - subjects.values[k]!) ** 2, 0);
    expect(apart(half)).toBeLessThan(apart(all));
    expect([...half.subarray(0, SIZE)]).not.toEqual([...half.subarray(SIZE, 2 * SIZE)]);
  });
});

const [MEAN, STD] = [0.1, 0.2];

/** The optimal denoisers of N(MEAN, STD^2). */
function gaussian(spec: JobSpec): Denoisers {
  const { level } = noiseProcess(spec.diffusion);
  const x0 = (x: tf.Tensor, alpha: number, sigma: number) => {
    const gain = (alpha * STD * STD) / (alpha * alpha * STD * STD + sigma * sigma);
    return tf.add(tf.mul(tf.sub(x, alpha * MEAN), gain), MEAN);
  };
  return {
    levelAt: level,
    byStep: (process) => (x, t) => ({
      x0: x0(x, process.sqrtAlphasCumprod[t]!, process.sqrtOneMinusAlphasCumprod[t]!),
    }),
    bySigma: () => (x, sigma) => x0(x, 1, sigma),
    byTime: () => (x, t) => {
      const { alpha, sigma } = level(t);
      return tf.div(tf.sub(tf.mul(x0(x, alpha, sigma), alpha), x), sigma * sigma);
    },
  };
}

const PROCESSES: readonly ProcessName[] = ["ddpm", "vp", "sub-vp", "ve", "edm"];
const INVERTING = PROCESSES.flatMap((process) =>
  SAMPLER_NAMES.filter((name) => inverts(name) && fitsProcess(name, process)).map((name) => ({ name, process })),
);

/** Largest error of an image that is made again from its code, in its 200 steps: of first order, of second, of none. */
const AGAIN: Readonly<Record<string, number>> = { heun: 2e-3, "dpm-2": 2e-3, flow: 1e-3 };

describe("encoding the images of a Gaussian", () => {
  it.each(INVERTING)("by $name through $process leads to noise, and back to them", async ({ name, process }) => {
    const spec = specOf(`process: ${process}`);
    const way = await wayOf(levelSampler(name), { spec, denoise: gaussian(spec), steps: 200, eta: 0 });
    const x_0 = normals({ seed: 2, purpose: PURPOSE.noise, step: 0, index: 0 }, 128).map((z) => MEAN + STD * z);
    const code = await way.encode!(tf.tensor4d(x_0, [8, 4, 4, 1]));
    const z = Array.from(code.dataSync(), (v) => v / way.prior);
    const spread = Math.sqrt(z.reduce((sum, v) => sum + v * v, 0) / z.length);
    expect(spread).toBeGreaterThan(0.85);
    expect(spread).toBeLessThan(1.15);
    const noise = () => tf.fill(code.shape, Number.NaN);
    const again = await way.walk(code, { part: [0, way.steps], noise });
    const error = Math.max(...again.dataSync().map((v, k) => Math.abs(v - x_0[k]!)));
    again.dispose();
    expect(error).toBeLessThan(AGAIN[name] ?? 0.05);
  });

  const NO_LEVELS: readonly SamplerName[] = ["reverse-kernel", "generator"];
  it("no other sampler claims to", async () => {
    for (const name of SAMPLER_NAMES.filter((each) => !inverts(each) && !NO_LEVELS.includes(each))) {
      const process = PROCESSES.find((each) => fitsProcess(name, each))!;
      const spec = specOf(`process: ${process}`);
      const way = await wayOf(levelSampler(name), { spec, denoise: gaussian(spec), steps: 30, eta: 0 });
      expect(way.encode, name).toBeUndefined();
    }
  });

  it.each([
    ["ddim", "process: ddpm"],
    ["heun", "process: edm"],
  ] as const)("is of each image alone, on a real network too: %s (%s)", async (sampler, diffusion) => {
    const [eight, one] = [await studio(diffusion, { sampler }), await studio(diffusion, { sampler, batch: 1 })];
    const codes = await eight.edit(eight.subjects, encoded);
    expect([...(await one.edit(one.subjects, encoded))]).toEqual([...codes]);
    const images = await eight.edit({ ...eight.subjects, values: codes }, decoded);
    expect(images.every(Number.isFinite)).toBe(true);
  });
});

describe("slerp", () => {
  const [a, b] = [0, 1].map((index) => normals({ seed: 3, purpose: PURPOSE.noise, step: 0, index }, 500));
  const norm = (v: Float32Array) => Math.sqrt(v.reduce((sum, value) => sum + value * value, 0));

  it("begins at the one and ends at the other, and keeps their norm on the way", () => {
    slerp(a!, b!, 0).forEach((value, k) => expect(value).toBeCloseTo(a![k]!, 6));
    slerp(a!, b!, 1).forEach((value, k) => expect(value).toBeCloseTo(b![k]!, 6));
    const middle = norm(slerp(a!, b!, 0.5));
    expect(Math.abs(middle - (norm(a!) + norm(b!)) / 2)).toBeLessThan(0.5);
    expect(norm(a!.map((value, k) => (value + b![k]!) / 2))).toBeLessThan(0.8 * middle);
  });

  it("of an image and itself is that image", () => {
    slerp(a!, a!, 0.3).forEach((value, k) => expect(value).toBeCloseTo(a![k]!, 5));
  });
});

describe("masks by name", () => {
  it("cover what they say", () => {
    const rows = (name: string) =>
      Array.from({ length: 4 }, (_, y) =>
        [...areaMask(name, { height: 4, width: 4 }).subarray(4 * y, 4 * y + 4)].join(""),
      );
    expect(rows("center")).toEqual(["0000", "0110", "0110", "0000"]);
    expect(rows("left")).toEqual(["1100", "1100", "1100", "1100"]);
    expect(rows("bottom")).toEqual(["0000", "0000", "1111", "1111"]);
  });

  it("at random are the image's and the seed's own, and cover the share", () => {
    const of = (seed: number, key: number) => [...randomMask(0.3, { height: 50, width: 50 }, seed, key)];
    expect(of(1, 2)).toEqual(of(1, 2));
    expect(of(1, 2)).not.toEqual(of(1, 3));
    expect(of(1, 2)).not.toEqual(of(2, 2));
    expect(of(1, 2).reduce((sum, v) => sum + v, 0) / 2500).toBeCloseTo(0.3, 1);
  });
});
