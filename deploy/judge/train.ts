// Trains a judge of `plume eval` on the training images alone and writes it beside this file:
//   node --import tsx deploy/judge/train.ts features    (or labels)
// Deterministic: the same file comes out again. Prints its accuracy on the test images and the sha256 to record in
// shared/eval/judge-network.ts.

import { createHash } from "node:crypto";
import { writeFileSync } from "node:fs";
import { openBackend } from "../../shared/backends/index.ts";
import { encodeSafetensors } from "../../shared/checkpoint/safetensors.ts";
import { dataSchema } from "../../shared/config/data.ts";
import { openImageSet } from "../../shared/data/open.ts";
import { sampleIds } from "../../shared/data/order.ts";
import { openNetworkJudge } from "../../shared/eval/judge.ts";
import { JUDGES, type JudgeName } from "../../shared/eval/judge-network.ts";
import { learn } from "../../shared/eval/learn.ts";
import { asset } from "../../shared/root.ts";
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
const network = JUDGES[name].build();
const order = { seed, datasetSize: train.size, globalBatch: BATCH, microBatch: BATCH };
const steps = (epochs * train.size) / BATCH;
const flat = await learn(network, {
  ...{ seed, steps, rate },
  read: (step) => train.read(sampleIds(order, step, 0)),
  onStep(step, loss) {
    if (step % 200 === 0) console.log(`step ${step} of ${steps}, loss ${loss.toFixed(4)}`);
  },
});

const { pixels, labels } = await test.read(Array.from({ length: test.size }, (_, id) => id));
const named = openNetworkJudge(network, flat).classes(pixels);
const right = named.filter((label, i) => label === labels[i]).length;
const layout = buildLayout(network.params);
const tensors = layout.tensors.map(({ name, shape, offset, size }) => ({
  name,
  shape,
  values: flat.subarray(offset, offset + size),
}));
const file = encodeSafetensors(tensors, { format: "plume", role: "judge of Fashion-MNIST" });
writeFileSync(asset(JUDGES[name].file), file);
console.log(`accuracy on ${test.size} test images: ${right / test.size}`);
console.log(
  `${layout.parameters} parameters, ${file.length} bytes, sha256 ${createHash("sha256").update(file).digest("hex")}`,
);
process.exit(0);
