import * as tf from "@tensorflow/tfjs-core";
import { beforeAll, describe, expect, it } from "vitest";
import type { Backend } from "../../shared/backends/backend.ts";
import { qSample } from "../../shared/diffusion/gaussian.ts";
import { interpret, type LookUp, type Steps } from "../../shared/diffusion/prediction.ts";
import { createProcess } from "../../shared/diffusion/process.ts";
import { OBJECTIVE_NAMES, OBJECTIVES, objectiveKind } from "../../shared/objectives/index.ts";
import type { Asked, Objective, ObjectiveOptions } from "../../shared/objectives/objective.ts";
import { normals, PURPOSE } from "../../shared/rng/stream.ts";
import { testBackend } from "../support/backend.ts";

let backend: Backend;
beforeAll(async () => {
  backend = await testBackend();
});

const process = createProcess({ schedule: "cosine", timesteps: 50 });
const reads = { predict: "eps", variance: "learned-range" } as const;
const options: ObjectiveOptions = { coefficients: process, variance: reads.variance, vlbWeight: 0.001 };
const SHAPE = [3, 2, 2, 1];
const LABELS = Int32Array.of(1, 0, 6);
const values = (index: number, size: number) => normals({ seed: 2, purpose: PURPOSE.noise, step: 0, index }, size);
const [x0, eps, output] = [values(0, 12), values(1, 12), values(2, 24)];

function askedOf(t: Steps, clean: tf.Tensor, noise: tf.Tensor, labels = () => tf.tensor1d(LABELS, "int32")): Asked {
  const x_t = qSample(process, clean, t, noise);
  return { x0: clean, t, x_t, target: noise, read: (y) => interpret(process, reads, x_t, t, y), labels };
}

/** Losses, and the gradient of their sum with respect to the network's output. */
function lossAndGradient(
  objective: Objective,
  t: Steps,
  [clean, noise, out]: tf.Tensor[],
  labels?: () => tf.Tensor1D,
): tf.Tensor[] {
  const asked = askedOf(t, clean!, noise!, labels);
  const lossOf = (y: tf.Tensor) => objective(asked, y, options).loss;
  return [lossOf(out!), tf.grad((y) => tf.sum(lossOf(y)))(out!)];
}

function eagerly(objective: Objective, t: number[]): number[][] {
  const tensors = [tf.tensor(x0, SHAPE), tf.tensor(eps, SHAPE), tf.tensor(output, [3, 2, 2, 2])];
  return lossAndGradient(objective, t, tensors).map((result) => [...result.dataSync()]);
}

/** Those of one output; those of denoisers are in consistency.test.ts. */
const KINDS = OBJECTIVE_NAMES.map((name) => [name, objectiveKind(name)] as const);
const OUTPUT = KINDS.flatMap(([name, kind]) => (kind.asks === "output" ? [[name, kind] as const] : []));

describe.each(OUTPUT)("the objective %s", (_, kind) => {
  it("gives in a recorded computation, whose steps are not known yet, the bits that it gives at once", async () => {
    const objective = await kind.load();
    let steps: number[] = [];
    const program = backend.program((feed, params) => {
      const t: LookUp = (value) => feed([3, 1, 1, 1], "float32", () => Float32Array.from(steps, value));
      const fed = [feed(SHAPE, "float32", () => x0), feed(SHAPE, "float32", () => eps), params[0]!];
      return lossAndGradient(objective, t, fed, () => feed([3], "int32", () => LABELS) as tf.Tensor1D);
    });
    const out = tf.tensor(output, [3, 2, 2, 2]);
    for (steps of [
      [0, 20, 49],
      [7, 0, 0],
    ]) {
      const recorded = program.run([out]).map((result) => [...result.dataSync()]);
      expect(recorded).toEqual(eagerly(objective, steps));
    }
  });
});

it("the bound teaches the hybrid objective's variance, and its prediction learns of L_simple alone", async () => {
  const [hybrid, simple] = await Promise.all([OBJECTIVES.hybrid.load(), OBJECTIVES.simple.load()]);
  const both = eagerly(hybrid, [0, 20, 49])[1]!;
  const channel = (k: number) => both.filter((_, i) => i % 2 === k);
  const asked = askedOf([0, 20, 49], tf.tensor(x0, SHAPE), tf.tensor(eps, SHAPE));
  const prediction = tf.tensor(
    output.filter((_, i) => i % 2 === 0),
    SHAPE,
  );
  const alone = tf.grad((y) => tf.sum(simple(asked, y, options).loss))(prediction);
  expect(channel(0)).toEqual([...alone.dataSync()]);
  expect(channel(1).every((slope) => slope !== 0)).toBe(true);
});

describe("cross-entropy", () => {
  const logits = [...output.subarray(0, 12)];
  const lossOf = async (classes: tf.Tensor) => {
    const objective = await OBJECTIVES["cross-entropy"].load();
    const labels = () => tf.tensor1d([3, 0, 1], "int32");
    return objective(askedOf([0, 20, 49], tf.tensor(x0, SHAPE), tf.tensor(eps, SHAPE), labels), classes, options).loss;
  };

  it("is -log of the softmax at the label, a sample", async () => {
    const loss = await (await lossOf(tf.tensor(logits, [3, 1, 1, 4]))).data();
    [3, 0, 1].forEach((label, i) => {
      const row = logits.slice(4 * i, 4 * i + 4);
      const expected = Math.log(row.reduce((sum, l) => sum + Math.exp(l), 0)) - row[label]!;
      expect(loss[i]).toBeCloseTo(expected, 5);
    });
  });

  it("is ln K of a classifier that knows nothing, and does not overflow where one is certain", async () => {
    expect([...(await (await lossOf(tf.zeros([3, 1, 1, 4]))).data())].map((nats) => nats.toFixed(5))).toEqual(
      Array(3).fill(Math.log(4).toFixed(5)),
    );
    const certain = tf.tensor([0, 0, 0, 900, 900, 0, 0, 0, 900, 0, 0, 0], [3, 1, 1, 4]);
    expect([...(await (await lossOf(certain)).data())].map(Math.abs)).toEqual([0, 0, 900]);
  });
});
