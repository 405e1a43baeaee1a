// A classifier that guides, by every form of sampler: its gradient, and what becomes of the images.

import * as tf from "@tensorflow/tfjs-core";
import { beforeAll, describe, expect, it } from "vitest";
import type { Backend } from "../../shared/backends/backend.ts";
import { parseJob } from "../../shared/config/load.ts";
import { createProcess } from "../../shared/diffusion/process.ts";
import { noiseProcess } from "../../shared/diffusion/processes/index.ts";
import { initialParameters } from "../../shared/nn/init.ts";
import { logLikelihood } from "../../shared/nn/log-likelihood.ts";
import { createGradients, createLogits } from "../../shared/pipeline/classifier.ts";
import { createDeviceParams } from "../../shared/pipeline/device-params.ts";
import type { FrozenNetwork } from "../../shared/pipeline/frozen.ts";
import { createGenerator } from "../../shared/pipeline/generate.ts";
import { buildNetwork } from "../../shared/pipeline/network.ts";
import { buildLayout } from "../../shared/tensor/layout.ts";
import { testBackend } from "../support/backend.ts";

let backend: Backend;
beforeAll(async () => {
  backend = await testBackend();
});

const image = { height: 8, width: 8, channels: 1 };
const SHAPE = [2, 4, 4, 4] as const;
const LABELS = Int32Array.of(3, 8);

/** Away from zeros, so that all of the network is felt. */
async function opened(model: string, diffusion: string): Promise<FrozenNetwork> {
  const { spec } = parseJob(`
metadata: { name: tiny }
spec:
  data: { source: "shapes:64", imageSize: 8, patch: 2 }
  model: { ${model}, channels: 8, channelMult: [1, 2], groups: 4, attention: [2] }
  diffusion: { ${diffusion} }
  sampling: { sampler: heun }`);
  const network = await buildNetwork(spec, image);
  const layout = buildLayout(network.params);
  const params = createDeviceParams(layout);
  params.load(initialParameters(layout, 3).map((w, k) => w + 0.05 * Math.sin(k)));
  return { spec, network, params };
}

const openClassifier = (diffusion = "") =>
  opened("type: classifier, classes: 10", `${diffusion}${diffusion && ", "}objective: cross-entropy`);

const point = () => tf.reshape(tf.sin(tf.linspace(-9, 9, 128)), [...SHAPE]);

describe("a classifier's gradient", () => {
  it.each([
    ["by step, of x_t", "", "byStep", 600],
    ["by sigma, of x_t / alpha", "", "bySigma", 1.5],
    ["by sigma of EDM, whose networks see x_t scaled", "process: edm, predict: edm", "bySigma", 1.5],
    ["by time, of x_t", "process: vp", "byTime", 0.4],
  ] as const)("%s is the slope of s log p(y | x_t)", async (_, diffusion, form, where) => {
    const classifier = await openClassifier(diffusion);
    const { program } = backend;
    const process = createProcess({ schedule: "cosine", timesteps: 1000 });
    const gradients = createGradients(classifier, program)({ labels: LABELS, scale: 3 });
    const gradient = form === "byStep" ? gradients.byStep(process) : gradients[form]();
    const noise = noiseProcess(classifier.spec.diffusion);
    const t = form === "bySigma" ? noise.timeOf(where) : where;
    const alpha = form === "bySigma" ? noise.level(t).alpha : 1;
    const logits = createLogits(classifier, program);
    const logP = (x: tf.Tensor) =>
      tf.tidy(() => {
        const said = logits(tf.mul(x, alpha), SHAPE, t);
        return tf.sum(logLikelihood(said, tf.tensor1d(LABELS, "int32"))).dataSync()[0]!;
      });
    const slope = tf.tidy(() => {
      const g = gradient(point(), where);
      const norm = tf.norm(g).dataSync()[0]!;
      const along = tf.div(g, norm);
      const h = 0.02;
      const risen = logP(tf.add(point(), tf.mul(along, h))) - logP(tf.sub(point(), tf.mul(along, h)));
      return { norm, expected: (3 * risen) / (2 * h) };
    });
    expect(slope.norm).toBeGreaterThan(0.01);
    expect(Math.abs(slope.norm / slope.expected - 1)).toBeLessThan(0.02);
  });

  it("is nothing where there is only noise", async () => {
    const process = createProcess({ schedule: "cosine", timesteps: 1000 });
    const classifier = await openClassifier();
    const gradient = createGradients(classifier, backend.program)({ labels: LABELS, scale: 3 }).byStep(process);
    const largest = (step: number) => tf.tidy(() => tf.max(tf.abs(gradient(point(), step))).dataSync()[0]!);
    expect(largest(999)).toBe(0);
    expect(largest(990)).toBeGreaterThan(0);
  });
});

describe("guided images", () => {
  const cases = [
    ["ddim", "classes: 0", "ddpm"],
    ["ancestral", "classes: 0", "ddpm"],
    ["ddim", "classes: 0", "imagen"],
    ["ancestral", "classes: 10", "imagen"],
    ["heun", "classes: 10", "ddpm"],
    ["dpmpp-2m", "classes: 0", "edm, predict: edm"],
    ["pc", "classes: 10", "vp"],
  ] as const;

  async function generatorOf(model: string, process: string) {
    const classifier = await openClassifier(`process: ${process}`);
    const denoising = await opened(model, `process: ${process}`);
    const generate = createGenerator({ ...denoising, image, program: backend.program, classifier });
    return (sampler: (typeof cases)[number][0], indices: readonly number[], classifierScale?: number) =>
      generate({
        ...{ indices, labels: indices.map((k) => k % 10), seed: 1, sampler },
        ...{ steps: 25, guidance: model === "classes: 10" ? 2 : 1, classifierScale },
      });
  }

  it.each(cases)(
    "by %s of a model with %s (%s) are others than unguided ones, and depend on their own index alone",
    async (...[sampler, model, process]) => {
      const draw = await generatorOf(model, process);
      const guided = await draw(sampler, [0, 1, 2, 3, 4, 5], 5);
      const [alone, unguided] = [await draw(sampler, [4], 5), await draw(sampler, [4], 0)];
      expect(Buffer.from(alone)).toEqual(Buffer.from(guided.subarray(4 * 64, 5 * 64)));
      expect(Buffer.from(alone)).not.toEqual(Buffer.from(unguided));
    },
  );

  it("have a scale of 1 where none is said", async () => {
    const draw = await generatorOf("classes: 0", "ddpm");
    const [one, unsaid, none] = [await draw("ddim", [0], 1), await draw("ddim", [0]), await draw("ddim", [0], 0)];
    expect(Buffer.from(unsaid)).toEqual(Buffer.from(one));
    expect(Buffer.from(unsaid)).not.toEqual(Buffer.from(none));
  });
});
