import * as tf from "@tensorflow/tfjs-core";
import { expect, it } from "vitest";
import { openBackend } from "../../shared/backends/index.ts";
import type { NodeBackend } from "../../shared/backends/tfjs-node/binding.ts";
import { savedModel } from "../../shared/backends/tfjs-node/graph-def.ts";
import { record } from "../../shared/backends/tfjs-node/recorder.ts";
import type { Computation } from "../../shared/nn/program.ts";
import { describeBackend } from "./backend/suite.ts";
import { describePrograms, runMicroBatches } from "./program-suite.ts";

// With oneDNN a graph and its operations one by one are computed by other kernels.
process.env.TF_ENABLE_ONEDNN_OPTS = "0";

const open = () => openBackend("tfjs-node");
describeBackend("tfjs-node", open, { engine: "tensorflow" });

// TensorFlow rewrites products of constants in the backward pass: the last digit may differ.
describePrograms(open, 1e-6, "Mul");

it("a recorded graph is the same whatever values it was recorded with: nothing of them is fixed in it", async () => {
  const backend = await open();
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
  await runMicroBatches(program);
  expect(graphs).toHaveLength(4);
  for (const graph of graphs) expect(Buffer.from(graph).equals(Buffer.from(graphs[0]!))).toBe(true);
});
