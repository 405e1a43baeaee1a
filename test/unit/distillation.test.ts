// The objectives of denoisers as jobs train them: what a micro-batch computes is what the library, which goldens hold, computes.

import * as tf from "@tensorflow/tfjs-core";
import { beforeAll, describe, expect, it } from "vitest";
import type { Backend } from "../../shared/backends/backend.ts";
import { parseJob } from "../../shared/config/load.ts";
import { openShapes } from "../../shared/data/sources/shapes.ts";
import { type LevelDenoiser, preconditioned } from "../../shared/diffusion/consistency.ts";
import { karras } from "../../shared/diffusion/grids.ts";
import { parameterizationOf } from "../../shared/diffusion/parameterization.ts";
import { initialParameters } from "../../shared/nn/init.ts";
import type { Network } from "../../shared/nn/network.ts";
import { eagerProgram } from "../../shared/nn/program.ts";
import { aimedLoss } from "../../shared/objectives/aim.ts";
import { consistencyAim } from "../../shared/objectives/consistency.ts";
import type { Path } from "../../shared/objectives/objective.ts";
import { progressiveAim } from "../../shared/objectives/progressive.ts";
import { createDeviceParams } from "../../shared/pipeline/device-params.ts";
import { openFrozen } from "../../shared/pipeline/frozen.ts";
import { createMicroBatch } from "../../shared/pipeline/micro-batch.ts";
import { buildNetwork } from "../../shared/pipeline/network.ts";
import { integers, normals, PURPOSE } from "../../shared/rng/stream.ts";
import { buildLayout } from "../../shared/tensor/layout.ts";
import { testBackend } from "../support/backend.ts";
import { IMAGES, teacherJob } from "../support/frozen.ts";

let backend: Backend;
beforeAll(async () => {
  backend = await testBackend();
});

const [STEP, INDEX, N] = [7, 2, 4];
const [MIN, MAX] = [0.002, 80];

const CASES = {
  training: { diffusion: "predict: consistency, objective: consistency, scales: { start: 5 }", taught: false },
  distillation: { diffusion: "predict: consistency, objective: consistency, scales: { start: 5 }", taught: true },
  progressive: { diffusion: "predict: edm, objective: progressive, scales: { start: 4 }", taught: true },
} as const;
type CaseName = keyof typeof CASES;

async function open(name: CaseName) {
  const { diffusion, taught } = CASES[name];
  const { spec } = parseJob(`
metadata: { name: student }
spec:
  data: { source: "shapes:64", imageSize: 8 }
  model: { channels: 8, channelMult: [1, 2], groups: 4, attention: [4] }
  diffusion: { process: edm, ${diffusion} }
  ${taught ? "models: { teacher: { from: file://teacher } }" : ""}
  training: { globalBatch: 16, microBatch: 4 }
  sampling: { sampler: ${name === "progressive" ? "progressive" : "consistency"} }`);
  const network = await buildNetwork(spec, IMAGES);
  const layout = buildLayout(network.params);
  const lively = (seed: number) => initialParameters(layout, seed).map((w, k) => w + 0.02 * Math.sin(k));
  const params = createDeviceParams(layout);
  params.load(lively(3));
  const teacher = { spec: teacherJob("model.classes=0", "data.patch=1", "model.attention=[4]").spec, image: IMAGES };
  const frozen = await openFrozen(taught ? { teacher: { ...teacher, flat: lively(4) } } : {});
  return { spec, network, layout, params, frozen, lively };
}

const ofNetwork =
  (network: Network, param: (name: string) => tf.Tensor) =>
  (x: tf.Tensor, label: number | tf.Tensor): tf.Tensor =>
    network.forward(
      { param, dropout: (y) => y },
      { x: x as tf.Tensor4D, t: tf.reshape(label as tf.Tensor, [N]), y: null },
    );

async function batch() {
  const set = openShapes(64, 8);
  return { step: STEP, index: INDEX, ...(await set.read([5, 6, 7, 8])), labels: new Int32Array(N).fill(-1) };
}

/** By the library alone, from the draws of the micro-batch. */
async function expected(name: CaseName) {
  const { network, layout, params, frozen } = await open(name);
  const key = { seed: 0, step: STEP, index: INDEX };
  const { pixels } = await batch();
  const shape = [N, IMAGES.height, IMAGES.width, 1];
  const grid = karras(name === "progressive" ? 9 : 5, MIN, MAX);
  const drawn = integers({ ...key, purpose: PURPOSE.time }, N, 4);
  const path: Path = {
    x0: tf.tensor(
      Float32Array.from(pixels, (value) => value / 127.5 - 1),
      shape,
    ),
    eps: tf.tensor(normals({ ...key, purpose: PURPOSE.noise }, pixels.length), shape),
    sigmas: (k) => grid[k]!,
    i: drawn.map((k) => (name === "progressive" ? 2 * k : k)),
  };
  const label = (sigma: number) => Math.log(sigma) / 4;
  const denoiser = (predict: "edm" | "consistency", F: Parameters<typeof preconditioned>[0]): LevelDenoiser =>
    preconditioned(F, parameterizationOf(predict, 0.5, MIN), label);
  const own = (param: (name: string) => tf.Tensor) =>
    denoiser(name === "progressive" ? "edm" : "consistency", ofNetwork(network, param));
  const { teacher } = frozen;
  const others = {
    target: own((tensor) => params.get(tensor)),
    ...(teacher && {
      teacher: denoiser(
        "edm",
        ofNetwork(teacher.network, (tensor) => teacher.params.get(tensor)),
      ),
    }),
  };
  const names = layout.tensors.map((tensor) => tensor.name);
  const weighed = { distance: "l2", sigmaData: 0.5 } as const;
  const loss = (...tensors: tf.Tensor[]) => {
    const online = own((tensor) => tensors[names.indexOf(tensor)]!);
    return tf.mean(
      name === "progressive"
        ? aimedLoss({ ...weighed, weighting: "truncated-snr" }, online, progressiveAim(path, others))
        : aimedLoss({ ...weighed, weighting: "uniform" }, online, consistencyAim(path, others)),
    ) as tf.Scalar;
  };
  const { value, grads } = tf.valueAndGrads(loss)([...params.tensors]);
  const gradient = new Float32Array(layout.size);
  layout.tensors.forEach(({ offset }, k) => gradient.set(grads[k]!.dataSync(), offset));
  return { loss: value.dataSync()[0]!, gradient };
}

describe.each(Object.keys(CASES) as CaseName[])("a job of consistency %s", (name) => {
  it("computes what the library computes of the same draws: eagerly, and recorded", async () => {
    const { loss, gradient } = await expected(name);
    expect(loss).toBeGreaterThan(0);
    for (const program of [
      (computation: Parameters<Backend["program"]>[0]) => eagerProgram(tf, computation),
      backend.program,
    ]) {
      const { spec, network, layout, params, frozen } = await open(name);
      const compute = createMicroBatch(spec, network, layout, { ...IMAGES }, { program }, frozen);
      for (const _ of ["first", "again"]) {
        const found = new Float32Array(layout.size);
        expect(await compute(params, await batch(), found)).toBe(loss);
        expect([...found]).toEqual([...gradient]);
      }
    }
  });
});
