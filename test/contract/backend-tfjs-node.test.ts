import * as tf from "@tensorflow/tfjs-core";
import { beforeAll, describe, expect, it } from "vitest";
import type { Backend } from "../../shared/backends/backend.ts";
import { openBackend } from "../../shared/backends/index.ts";
import type { NodeBackend } from "../../shared/backends/tfjs-node/binding.ts";
import { savedModel } from "../../shared/backends/tfjs-node/graph-def.ts";
import { record } from "../../shared/backends/tfjs-node/recorder.ts";
import { parseJob } from "../../shared/config/load.ts";
import { openShapes } from "../../shared/data/shapes.ts";
import { initialParameters } from "../../shared/nn/init.ts";
import { type Computation, eagerProgram } from "../../shared/nn/program.ts";
import { createDeviceParams } from "../../shared/pipeline/device-params.ts";
import { createMicroBatch } from "../../shared/pipeline/micro-batch.ts";
import { buildNetwork } from "../../shared/pipeline/network.ts";
import { buildLayout } from "../../shared/tensor/layout.ts";
import { describeBackend } from "./backend-suite.ts";

// With oneDNN a graph and its operations one by one are computed by other kernels.
process.env.TF_ENABLE_ONEDNN_OPTS = "0";

const open = () => openBackend("tfjs-node");
describeBackend("tfjs-node", open, "tensorflow");

const { spec } = parseJob(`
metadata: { name: tiny }
spec:
  data: { source: "shapes:64", imageSize: 8, patch: 2, flip: true }
  model: { channels: 8, channelMult: [1, 2], groups: 4, attention: [2], classes: 10, dropout: 0.1 }
  diffusion: { predict: v, labelDrop: 0.5 }
  training: { globalBatch: 16, microBatch: 4 }
`);
const layout = buildLayout(buildNetwork(spec, 1).params);
const image = { height: 8, width: 8, channels: 1 };

describe("a recorded graph", () => {
  let backend: Backend;
  beforeAll(async () => {
    backend = await open();
  });

  const parameters = (seed: number) => {
    const params = createDeviceParams(layout);
    // Away from the zeros of the fresh output convolution, so that every gradient is felt.
    params.load(initialParameters(layout, seed).map((w, k) => w + 0.02 * Math.sin(k)));
    return params;
  };
  /** Loss and gradient of some micro-batches, with parameters that change in between. */
  const run = async (program: Backend["program"]) => {
    const compute = createMicroBatch(spec, buildNetwork(spec, 1), layout, image, { program });
    const set = openShapes(64, 8);
    const results: { loss: number; gradient: Float32Array }[] = [];
    for (let step = 0; step < 4; step++) {
      const params = parameters(step);
      const gradient = new Float32Array(layout.size);
      const samples = await set.read([0, 1, 2, 3].map((k) => 4 * step + k));
      results.push({ loss: await compute(params, { step, index: 1, ...samples }, gradient), gradient });
      params.dispose();
    }
    return results;
  };

  it("gives what its operations give one by one, and the same bits again: other images, noise, labels, dropout and parameters each time", async () => {
    const eager = await run((computation) => eagerProgram(tf, computation));
    const tensors = tf.memory().numTensors;
    const replayed = await run(backend.program);
    replayed.forEach(({ loss, gradient }, k) => {
      expect(loss).toBe(eager[k]!.loss);
      // TensorFlow rewrites products of constants in the backward pass: the last digit may differ.
      const largest = gradient.reduce((most, v) => Math.max(most, Math.abs(v)), 0);
      const off = gradient.reduce((most, v, i) => Math.max(most, Math.abs(v - eager[k]!.gradient[i]!)), 0);
      expect(off).toBeLessThan(1e-6 * largest);
    });
    const again = await run(backend.program);
    again.forEach(({ gradient }, k) => {
      expect(Buffer.from(gradient.buffer).equals(Buffer.from(replayed[k]!.gradient.buffer))).toBe(true);
    });
    expect(tf.memory().numTensors).toBe(tensors);
    expect(new Set(eager.map(({ loss }) => loss)).size).toBe(4);
  });

  it("is the same graph whatever values it was recorded with: nothing of them is fixed in it", async () => {
    const graphs: Uint8Array[] = [];
    const program = (computation: Computation) => {
      const recording = (params: readonly tf.Tensor[]) =>
        savedModel(record(tf, tf.backend() as NodeBackend, computation, params).nodes);
      const real = backend.program(computation);
      return {
        ...real,
        run(params: readonly tf.Tensor[]) {
          graphs.push(recording(params));
          return real.run(params);
        },
      };
    };
    await run(program);
    expect(graphs).toHaveLength(4);
    for (const graph of graphs) expect(Buffer.from(graph).equals(Buffer.from(graphs[0]!))).toBe(true);
  });

  it("cannot be made of a computation that looks at values, or at tensors that were not given to it", () => {
    const of = (computation: Computation) => () => backend.program(computation).run([tf.scalar(1)]);
    expect(of((_feed, [x]) => [tf.mul(x!, tf.square(x!).dataSync()[0]!)])).toThrow(/read values of a tensor/);
    const foreign = tf.add(tf.scalar(1), 1);
    foreign.dataSync();
    expect(of((_feed, [x]) => [tf.mul(x!, foreign)])).toThrow(/every input of Mul was made while recording/);
    // The backend is as it was.
    expect(tf.add(tf.scalar(1), 2).dataSync()[0]).toBe(3);
  });
});
