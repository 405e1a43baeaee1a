// Trains a judge of `plume eval` on the training images alone and writes it beside this file:
//   node --import tsx deploy/judge/train.ts features    (or labels)
// Deterministic: the same file comes out again. Prints its accuracy on the test images and the sha256 to record in
// shared/eval/judge-network.ts.

import { createHash } from "node:crypto";
import { writeFileSync } from "node:fs";
import * as tf from "@tensorflow/tfjs-core";
import { openBackend } from "../../shared/backends/index.ts";
import { encodeSafetensors } from "../../shared/checkpoint/safetensors.ts";
import { dataSchema } from "../../shared/config/data.ts";
import { openImageSet } from "../../shared/data/open.ts";
import { sampleIds } from "../../shared/data/order.ts";
import { JUDGE_CLASSES, JUDGES, type JudgeName } from "../../shared/eval/judge-network.ts";
import { openReducer } from "../../shared/kernels/open-reducer.ts";
import { initialParameters } from "../../shared/nn/init.ts";
import { createDeviceParams, inference } from "../../shared/pipeline/device-params.ts";
import { exactCos } from "../../shared/rng/exact-math.ts";
import { asset } from "../../shared/root.ts";
import { tensorView } from "../../shared/tensor/flat.ts";
import { buildLayout } from "../../shared/tensor/layout.ts";

const BATCH = 100;
const RECIPES: Readonly<Record<JudgeName, { seed: number; epochs: number; rate: number }>> = {
  features: { seed: 0, epochs: 4, rate: 2e-3 },
  labels: { seed: 1, epochs: 4, rate: 2e-3 },
};

const name = process.argv[2] as JudgeName;
if (!Object.hasOwn(RECIPES, name)) throw new Error(`name a judge: ${Object.keys(RECIPES).join(" or ")}`);
const { seed, epochs, rate } = RECIPES[name];

const data = dataSchema.parse({ source: "fashion-mnist" });
const train = await openImageSet(data);
const test = await openImageSet(data, { split: "test" });
if (train.fallback) throw new Error(train.fallback);
await openBackend("wasm");
const judge = JUDGES[name].build();
const layout = buildLayout(judge.params);
const reducer = await openReducer({ layout, optimizer: "adamw", maxVectors: 1 });
reducer.params.shard(0).set(initialParameters(layout, seed));
for (const moment of Object.values(reducer.moments)) moment.shard(0).fill(0);
const device = createDeviceParams(layout);
const gradient = reducer.allocate();

const images = (pixels: Uint8Array) =>
  tf.tensor4d(
    Float32Array.from(pixels, (v) => v / 127.5 - 1),
    [pixels.length / 784, 28, 28, 1],
  );
const order = { seed, datasetSize: train.size, globalBatch: BATCH, microBatch: BATCH };
const steps = (epochs * train.size) / BATCH;
for (let step = 0; step < steps; step++) {
  const { pixels, labels } = await train.read(sampleIds(order, step, 0));
  device.load(reducer.params.shard(0));
  const loss = tf.tidy(() => {
    const x = images(pixels);
    const wanted = tf.oneHot(tf.tensor1d(labels, "int32"), JUDGE_CLASSES);
    const { value, grads } = tf.valueAndGrads((...tensors) => {
      const byName = new Map(layout.tensors.map((tensor, i) => [tensor.name, tensors[i]!]));
      const { logits } = judge.forward({ param: (name) => byName.get(name)!, dropout: (y) => y }, x);
      return tf.neg(tf.mean(tf.sum(tf.mul(tf.logSoftmax(logits), wanted), 1))) as tf.Scalar;
    })([...device.tensors]);
    const flat = gradient.shard(0).fill(0);
    layout.tensors.forEach(({ offset }, i) => flat.set(grads[i]!.dataSync() as Float32Array, offset));
    return value.dataSync()[0]!;
  });
  const lr = rate * 0.5 * (1 + exactCos((Math.PI * step) / steps));
  await reducer.optimize(gradient, {
    type: "adamw",
    lr,
    beta1: 0.9,
    beta2: 0.999,
    eps: 1e-8,
    weightDecay: 0.01,
    gradientScale: 1,
    count: step + 1,
  });
  if (step % 200 === 0) console.log(`step ${step} of ${steps}, loss ${loss.toFixed(4)}`);
}

device.load(reducer.params.shard(0));
let right = 0;
for (let from = 0; from < test.size; from += 500) {
  const { pixels, labels } = await test.read(Array.from({ length: 500 }, (_, k) => from + k));
  const guessed = tf.tidy(
    () => tf.argMax(judge.forward(inference(device.get), images(pixels)).logits, 1).dataSync() as Int32Array,
  );
  right += labels.reduce((n, label, i) => n + Number(guessed[i] === label), 0);
}
const tensors = layout.tensors.map((tensor) => ({
  name: tensor.name,
  shape: tensor.shape,
  values: tensorView(layout, reducer.params, tensor),
}));
const file = encodeSafetensors(tensors, { format: "plume", role: "judge of Fashion-MNIST" });
writeFileSync(asset(JUDGES[name].file), file);
console.log(`accuracy on ${test.size} test images: ${right / test.size}`);
console.log(
  `${layout.parameters} parameters, ${file.length} bytes, sha256 ${createHash("sha256").update(file).digest("hex")}`,
);
process.exit(0);
