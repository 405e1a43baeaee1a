// Trains a small convolutional network for some steps on the wasm backend and prints the sha256 of its weights. Run as
// a process of its own: node --import tsx test/contract/backend/steps.ts [--after-other-work]

import { createHash } from "node:crypto";
import { fileURLToPath } from "node:url";
import * as tf from "@tensorflow/tfjs-core";
import { openBackend } from "../../../shared/backends/index.ts";
import { conv2d, dense, downsample2, groupNorm, silu, upsample2 } from "../../../shared/nn/fused.ts";
import { normals, PURPOSE } from "../../../shared/rng/stream.ts";

export const STEP_SHAPES: readonly (readonly number[])[] = [
  [3, 3, 3, 8],
  [8],
  [8],
  [8],
  [3, 3, 8, 8],
  [8],
  [8, 8],
  [8],
];
const BATCH = 4;

/** Small normals, the same wherever they are drawn. */
export function draw(index: number, shape: readonly number[]): Float32Array {
  const size = shape.reduce((product, n) => product * n, 1);
  return normals({ seed: 5, purpose: PURPOSE.canary, step: 1, index }, size).map((v) => v * 0.3);
}

/** One step of plain descent: convolution, group norm, attention, pooling there and back. @returns loss and weights. */
export async function trainStep(
  weights: readonly Float32Array[],
  images: Float32Array,
): Promise<[number, Float32Array[]]> {
  const outputs = tf.tidy(() => {
    const x = tf.tensor4d(images, [BATCH, 8, 8, 3]);
    const params = weights.map((w, i) => tf.tensor(w, [...STEP_SHAPES[i]!]));
    const loss = (...p: tf.Tensor[]) => {
      const [w1, b1, gain, offset, w2, b2, w3, b3] = p as [
        tf.Tensor4D,
        tf.Tensor1D,
        tf.Tensor1D,
        tf.Tensor1D,
        tf.Tensor4D,
        tf.Tensor1D,
        tf.Tensor2D,
        tf.Tensor1D,
      ];
      const fine = groupNorm(conv2d(x, w1, b1, { pad: 1 }), gain, offset, null, { groups: 2, eps: 1e-5, silu: true });
      const coarse = silu(conv2d(fine, w2, b2, { pad: 1, stride: 2 }));
      const tokens = tf.reshape(dense(coarse, w3, b3), [BATCH, 16, 8]);
      const attended = tf.matMul(tf.softmax(tf.matMul(tokens, tokens, false, true)), tokens);
      const back = upsample2(tf.reshape(attended, [BATCH, 4, 4, 8]));
      return tf.mean(tf.squaredDifference(downsample2(tf.concat([back, fine], 3) as tf.Tensor4D), 1)) as tf.Scalar;
    };
    const { value, grads } = tf.valueAndGrads(loss)(params);
    return [value, ...params.map((p, i) => tf.sub(p, tf.mul(grads[i]!, 0.05)))];
  });
  const [loss, ...next] = await Promise.all(outputs.map(async (output) => (await output.data<"float32">()).slice()));
  tf.dispose(outputs);
  return [loss![0]!, next];
}

/** @returns the sha256 of the weights after `steps` steps, and the first and the last loss. */
export async function trainSteps(steps: number): Promise<{ sha256: string; first: number; last: number }> {
  let weights = STEP_SHAPES.map((shape, i) => draw(i, shape));
  const losses: number[] = [];
  for (let step = 0; step < steps; step++) {
    const [loss, next] = await trainStep(weights, draw(100 + step, [BATCH, 8, 8, 3]));
    losses.push(loss);
    weights = next;
  }
  const hash = createHash("sha256");
  for (const w of weights) hash.update(new Uint8Array(w.buffer, w.byteOffset, w.byteLength));
  return { sha256: hash.digest("hex"), first: losses[0]!, last: losses.at(-1)! };
}

/** Work that leaves the heap, the tensor ids and the packed weights other than it found them. */
export function otherWork(): tf.Tensor[] {
  const kept: tf.Tensor[] = [];
  for (let i = 1; i < 20; i++) {
    const x = tf.tensor4d(draw(i, [1, i + 3, i + 3, 4]), [1, i + 3, i + 3, 4]);
    const w = tf.tensor4d(draw(i, [3, 3, 4, i]), [3, 3, 4, i]);
    kept.push(conv2d(x, w, tf.zeros([i]) as tf.Tensor1D, { pad: 1 }), tf.matMul(tf.ones([i, 40]), tf.ones([40, i])));
    if (i % 2 === 0) x.dispose();
  }
  return kept;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  await openBackend("wasm");
  if (process.argv.includes("--after-other-work")) otherWork();
  console.log((await trainSteps(20)).sha256);
}
