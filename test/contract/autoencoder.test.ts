// A variational autoencoder that plume writes for Python's diffusers, against the real library: npm run setup:python.

import { readFileSync } from "node:fs";
import * as tf from "@tensorflow/tfjs-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { parseJob } from "../../shared/config/load.ts";
import { filesOf } from "../../shared/interop/formats.ts";
import { readModelFolder } from "../../shared/interop/read.ts";
import { weightsFor } from "../../shared/interop/weights.ts";
import { writeFolder } from "../../shared/interop/write.ts";
import { buildVae, vaeConfig } from "../../shared/models/vae.ts";
import { initialParameters } from "../../shared/nn/init.ts";
import { inference } from "../../shared/pipeline/device-params.ts";
import { buildLayout } from "../../shared/tensor/layout.ts";
import { testBackend } from "../support/backend.ts";
import { compare, noise, toNchw, toNhwc } from "../support/forward.ts";
import { scratchFolder } from "../support/plume.ts";
import { diffusers } from "../support/python.ts";

const scratch = scratchFolder();
afterAll(() => scratch[Symbol.dispose]());

const jobWith = (model: string, data: string) =>
  parseJob(`
metadata: { name: tiny }
spec:
  data: { source: "shapes:64", ${data} }
  model: { type: vae, channels: 8, groups: 4, ${model} }
  diffusion: { objective: elbo }
  autoencoder: { latentChannels: 3 }
  sampling: { sampler: generator, steps: 1 }`);

const CASES = {
  "two levels, patches, one channel": jobWith("channelMult: [1, 2]", "imageSize: 16, patch: 2"),
  "three levels of two blocks, attention at the middle one": jobWith(
    "channelMult: [1, 2, 3], resBlocks: 2, attention: [8]",
    "imageSize: 16",
  ),
};
type Name = keyof typeof CASES;
const NAMES = Object.keys(CASES) as Name[];

/** As diffusers' own weights are: nothing is at rest. */
function written(name: Name) {
  const job = CASES[name];
  const { imageSize, patch } = job.spec.data;
  const image = { height: imageSize, width: imageSize, channels: 1 };
  const vae = buildVae(vaeConfig(job.spec, image));
  const layout = buildLayout(vae.params);
  const flat = initialParameters(layout, 3).map((value, i) => value + 0.05 * shaken[i % shaken.length]!);
  const tensors = layout.tensors.map(({ name: tensor, shape, offset, size }) => ({
    ...{ name: tensor, shape, values: flat.slice(offset, offset + size) },
  }));
  const imageSet = { name: "shapes:64", size: 64, digest: "d".repeat(64), ...image, classes: [] };
  const folder = scratch.file(name.replaceAll(/\W+/g, "-"));
  writeFolder(folder, filesOf("diffusers-vae", { job, step: 5, weights: "ema", imageSet, tensors }), false);
  const side = imageSize / patch;
  const low = side / 2 ** (job.spec.model.channelMult.length - 1);
  const x = { shape: [2, patch * patch, side, side] as const, values: [...noise(11, 2 * patch * patch * side * side)] };
  const z = { shape: [2, 3, low, low] as const, values: [...noise(12, 2 * 3 * low * low)] };
  return { folder, job, image, vae, tensors, x, z };
}

const shaken = noise(7, 4096);
const all = new Map<Name, ReturnType<typeof written>>();
const theirs = new Map<Name, Record<"mean" | "logvar" | "decoded", number[]>>();

beforeAll(async () => {
  await testBackend();
  for (const name of NAMES) all.set(name, written(name));
  const tasks = NAMES.map((name) => {
    const { folder, x, z } = all.get(name)!;
    return { kind: "autoencoder", folder, x, z };
  });
  diffusers(tasks).forEach((result, i) => theirs.set(NAMES[i]!, result as never));
});

describe.each(NAMES)("an exported autoencoder of %s", (name) => {
  it("loads as an AutoencoderKL that encodes and decodes as plume does", async () => {
    const { folder, job, image, vae, x, z } = all.get(name)!;
    const { values } = await weightsFor(job.spec, image, readModelFolder(folder));
    const shapes = new Map(vae.params.map((param) => [param.name, [...param.shape]]));
    const f = inference((tensor) => tf.tensor(values.get(tensor)!, shapes.get(tensor)));
    const { mean, logVariance } = vae.encode(f, toNhwc(x.values, x.shape), null);
    const [image_, logScale] = vae.decode(f, toNhwc(z.values, z.shape), null);
    const ours = { mean: toNchw(mean), logvar: toNchw(logVariance), decoded: toNchw(tf.concat([image_, logScale], 3)) };
    for (const of of ["mean", "logvar", "decoded"] as const) {
      const { worst, largest } = compare(ours[of], theirs.get(name)![of]);
      expect(largest).toBeGreaterThan(0.1);
      expect(worst).toBeLessThan(1e-5);
    }
  });

  it("comes back to the bit", async () => {
    const { folder, job, image, tensors } = all.get(name)!;
    const { values } = await weightsFor(job.spec, image, readModelFolder(folder));
    for (const each of tensors) expect(values.get(each.name)).toEqual(each.values);
  });
});

it("what is told classes has no form in diffusers, nor has a U-Net that of an autoencoder", () => {
  const { tensors } = all.get(NAMES[0]!)!;
  const told = (model: string) => () =>
    filesOf("diffusers-vae", {
      ...{ step: 1, weights: "ema" as const, tensors },
      job: parseJob(`metadata: { name: tiny }\nspec: { data: { source: "shapes:64" }, ${model} }`),
      imageSet: { name: "", size: 1, digest: "", height: 8, width: 8, channels: 1, classes: [] },
    });
  const AT_ONCE = "diffusion: { objective: elbo }, sampling: { sampler: generator, steps: 1 }";
  expect(told(`model: { type: vae, classes: 10 }, ${AT_ONCE}`)).toThrow("no form of a vae that is told classes");
  expect(told("model: { type: unet }")).toThrow("no form of a unet");
  expect(() => readFileSync(`${all.get(NAMES[0]!)!.folder}/unet/config.json`)).toThrow(/ENOENT/);
});
