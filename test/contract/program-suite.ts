// What every backend's recorded programs promise, beside the eager run of the same operations: the same values whatever
// changes between two runs, nothing left on the device, and a refusal of what cannot be recorded.

import * as tf from "@tensorflow/tfjs-core";
import { beforeAll, describe, expect, it } from "vitest";
import type { Backend } from "../../shared/backends/backend.ts";
import { parseJob } from "../../shared/config/load.ts";
import { openShapes } from "../../shared/data/sources/shapes.ts";
import { initialParameters } from "../../shared/nn/init.ts";
import { type Computation, eagerProgram } from "../../shared/nn/program.ts";
import { createGradients } from "../../shared/pipeline/classifier.ts";
import { createDeviceParams } from "../../shared/pipeline/device-params.ts";
import { openFrozen } from "../../shared/pipeline/frozen.ts";
import { isWeighted } from "../../shared/pipeline/importance.ts";
import { createMicroBatch } from "../../shared/pipeline/micro-batch.ts";
import { buildNetwork } from "../../shared/pipeline/network.ts";
import { buildLayout } from "../../shared/tensor/layout.ts";

const image = { height: 8, width: 8, channels: 1 };

/**
 * What a job may say of its loss: with the variance comes nearly every operation that objectives of an output have, with the
 * distillation by a teacher those that ask denoisers, between other levels at every step; time steps that are drawn by their
 * losses count each loss otherwise.
 */
const OBJECTIVES = [
  "predict: v, labelDrop: 0.5",
  "predict: v, variance: learned-range, objective: hybrid, vlbWeight: 1",
  "process: edm, predict: consistency, objective: consistency, scales: { start: 2, end: 9, steps: 3 }",
  "objective: cross-entropy",
  "predict: v, timestepSampling: loss-second-moment",
  // Second derivatives, and steps in turn.
  "objective: non-saturating",
  // A reparameterized draw, a likelihood of bytes; couplings and the determinants of small matrices.
  "objective: elbo",
  "objective: likelihood",
  // Of a dvae: relaxed codes, at a temperature and a beta of the step.
  "objective: elbo, labelDrop: 0",
];

const TYPES = {
  ...{ "non-saturating": "dcgan", elbo: "vae", likelihood: "flow", "cross-entropy": "classifier" },
  "elbo, labelDrop: 0": "dvae",
};

/** Networks that can be told of it see images augmented. */
const networkOf = (objective: string) => {
  const type = Object.entries(TYPES).find(([name]) => objective === `objective: ${name}`)?.[1];
  return type ? { type, augment: 0 } : { type: "unet", augment: 0.5 };
};

const samplingOf = (objective: string): string => {
  if (!["unet", "classifier"].includes(networkOf(objective).type)) return "sampler: generator, steps: 1";
  return `sampler: ${objective.includes("consistency") ? "consistency" : "ddim"}`;
};

const jobWith = (objective: string) =>
  parseJob(`
metadata: { name: tiny }
spec:
  data: { source: "shapes:64", imageSize: 8, patch: 2, flip: true, augment: ${networkOf(objective).augment} }
  model: { type: ${networkOf(objective).type}, channels: 8, channelMult: [1, 2], groups: 4, attention: [2], classes: 10, dropout: 0.1 }
  diffusion: { ${objective} }
  adversarial: { latent: 4, penalty: r1, spectralNorm: true }
  autoencoder: { betaSteps: 3, temperature: { steps: 3 } }
  training: { globalBatch: 16, microBatch: 4 }
  sampling: { ${samplingOf(objective)} }
`);

/** Loss and gradient of some micro-batches, with parameters that change in between. */
export const runMicroBatches = async (program: Backend["program"], objective = OBJECTIVES[0]!) => {
  const { spec } = jobWith(objective);
  const network = await buildNetwork(spec, image);
  const layout = buildLayout(network.params);
  const flat = initialParameters(layout, 9).map((w, k) => w + 0.02 * Math.cos(k));
  const teacher = { ...spec, diffusion: { ...spec.diffusion, predict: "edm" } } as const;
  const frozen = objective.includes("edm") ? await openFrozen({ teacher: { spec: teacher, image, flat } }) : {};
  const compute = createMicroBatch(spec, network, layout, image, { program }, frozen);
  const set = openShapes(64, 8);
  const results: { loss: number; gradient: Float32Array }[] = [];
  for (let step = 0; step < 4; step++) {
    const params = createDeviceParams(layout);
    // Away from the zeros of the fresh output convolution, so that every gradient is felt.
    params.load(initialParameters(layout, step).map((w, k) => w + 0.02 * Math.sin(k)));
    const gradient = new Float32Array(layout.size);
    // A generator's turn has none.
    const isReal = !network.game || step % 2 === 0;
    const samples = await set.read(isReal ? [0, 1, 2, 3].map((k) => 4 * step + k) : []);
    const weights = isWeighted(spec) ? Float64Array.from({ length: 1000 }, (_, t) => t + step) : undefined;
    results.push({ loss: await compute(params, { step, index: 1, weights, ...samples }, gradient), gradient });
    params.dispose();
  }
  frozen.teacher?.params.dispose();
  return results;
};

/** The gradient of a classifier's log p(y | x_t) with respect to x_t, of other images, labels, times and scales each time. */
const runGradients = async (program: Backend["program"]) => {
  const { spec } = jobWith("objective: cross-entropy");
  const network = await buildNetwork(spec, image);
  const layout = buildLayout(network.params);
  const params = createDeviceParams(layout);
  params.load(initialParameters(layout, 1).map((w, k) => w + 0.02 * Math.sin(k)));
  const gradients = createGradients({ spec, network, params }, program);
  const results = [1, 2, 3].map((k) =>
    tf.tidy(() => {
      const x = tf.reshape(tf.sin(tf.linspace(-k, 9, 128)), [2, 4, 4, 4]);
      const gradient = gradients({ labels: Int32Array.of(k, 9 - k), scale: k }).bySigma()(x, k / 2);
      return Float32Array.from(gradient.dataSync());
    }),
  );
  params.dispose();
  return results;
};

interface Outcome {
  readonly loss: number;
  readonly gradient: Float32Array;
}

/** @param tolerance of the eager loss, and of the largest gradient; 0: there is no difference. */
export function expectOutcomes(recorded: readonly Outcome[], eager: readonly Outcome[], tolerance: number): void {
  recorded.forEach(({ loss, gradient }, k) => {
    expect(Math.abs(loss - eager[k]!.loss)).toBeLessThanOrEqual(tolerance * eager[k]!.loss);
    const largest = gradient.reduce((most, v) => Math.max(most, Math.abs(v)), 0);
    const off = gradient.reduce((most, v, i) => Math.max(most, Math.abs(v - eager[k]!.gradient[i]!)), 0);
    if (tolerance === 0) expect(off).toBe(0);
    else expect(off).toBeLessThan(tolerance * largest);
  });
}

export function describePrograms(
  open: () => Promise<Backend>,
  /** Below this is every difference from the eager run, of the loss and of the largest gradient; 0: there is none. */
  tolerance: number,
  /** The backend's name for a product. */
  multiply: string,
): void {
  describe("a recorded computation", () => {
    let backend: Backend;
    beforeAll(async () => {
      backend = await open();
    });

    it("looks up rows of a table by numbers that were used for something else before", () => {
      const table = tf.tensor2d([0, 1, 10, 11, 20, 21], [3, 2]);
      let asked: Int32Array;
      const program = backend.program((feed, [rows]) => {
        const ids = feed([2], "int32", () => asked) as tf.Tensor1D;
        const used = tf.cast(ids, "float32");
        return [tf.add(tf.gather(rows!, ids), tf.reshape(used, [2, 1]))];
      });
      const found = [Int32Array.of(2, 0), Int32Array.of(1, 1)].map((ids) => {
        asked = ids;
        const [sums] = program.run([table]);
        const values = [...sums!.dataSync()];
        sums!.dispose();
        return values;
      });
      table.dispose();
      expect(found).toEqual([
        [22, 23, 0, 1],
        [11, 12, 11, 12],
      ]);
    });

    it.each(OBJECTIVES)(
      "gives what its operations give one by one, and the same bits again: other images, noise, labels, dropout and parameters each time (%s)",
      async (objective) => {
        const eager = await runMicroBatches((computation) => eagerProgram(tf, computation), objective);
        const tensors = tf.memory().numTensors;
        const replayed = await runMicroBatches(backend.program, objective);
        expectOutcomes(replayed, eager, tolerance);
        const again = await runMicroBatches(backend.program, objective);
        again.forEach(({ gradient }, k) => {
          expect(Buffer.from(gradient.buffer).equals(Buffer.from(replayed[k]!.gradient.buffer))).toBe(true);
        });
        expect(tf.memory().numTensors).toBe(tensors);
        expect(new Set(eager.map(({ loss }) => loss)).size).toBe(4);
      },
    );

    it("gives a classifier's gradient as its operations give it one by one, and leaves nothing behind", async () => {
      const eager = await runGradients((computation) => eagerProgram(tf, computation));
      const tensors = tf.memory().numTensors;
      const replayed = await runGradients(backend.program);
      replayed.forEach((gradient, k) => {
        const largest = Math.max(...eager[k]!.map(Math.abs));
        const off = Math.max(...gradient.map((value, i) => Math.abs(value - eager[k]![i]!)));
        expect(largest).toBeGreaterThan(0);
        expect(off).toBeLessThanOrEqual(tolerance * largest);
      });
      expect(tf.memory().numTensors).toBe(tensors);
    });

    it("takes fed tensors and constants, gives a result twice, and leaves what it was given to its owner", async () => {
      let fed = tf.tensor1d([1, 2, 3]);
      const program = backend.program((feed, [p]) => {
        const x = feed([3], "float32", () => fed);
        const sum = tf.add(tf.mul(x, p!), tf.tensor1d([10, 20, 30]));
        return [sum, tf.reshape(sum, [3, 1]), sum];
      });
      const before = tf.memory().numTensors;
      const p = tf.scalar(2);
      for (const scale of [1, 2, 3]) {
        fed.dispose();
        fed = tf.tensor1d([1, 2, 3].map((v) => v * scale));
        const outputs = program.run([p]);
        const expected = [1, 2, 3].map((v) => 2 * v * scale + 10 * v);
        expect(outputs.map((each) => [...each.dataSync()])).toEqual([expected, expected, expected]);
        expect(outputs[1]!.shape).toEqual([3, 1]);
        tf.dispose([...new Set(outputs)]);
        expect([...p.dataSync()]).toEqual([2]); // still its owner's
      }
      // The parameter, and on some backends the constant, which a plan keeps.
      expect(tf.memory().numTensors).toBeLessThanOrEqual(before + 2);
    });

    it("cannot be made of a computation that looks at values, or at tensors that were not given to it", () => {
      const of = (computation: Computation) => () => backend.program(computation).run([tf.scalar(1)]);
      expect(of((_feed, [x]) => [tf.mul(x!, tf.square(x!).dataSync()[0]!)])).toThrow(/read values of a tensor/);
      const foreign = tf.add(tf.scalar(1), 1);
      foreign.dataSync();
      expect(of((_feed, [x]) => [tf.mul(x!, foreign)])).toThrow(`every input of ${multiply} was made while recording`);
      // The backend is as it was.
      expect(tf.add(tf.scalar(1), 2).dataSync()[0]).toBe(3);
    });
  });
}
