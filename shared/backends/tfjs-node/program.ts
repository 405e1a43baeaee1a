// A recorded computation as one TensorFlow graph, run by one call.

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type * as tf from "@tensorflow/tfjs-core";
import { invariant } from "../../invariant.ts";
import { type Computation, isTensor, type Program } from "../../nn/program.ts";
import { sizeOf } from "../../tensor/layout.ts";
import type { NodeBackend } from "./binding.ts";
import { savedModel } from "./graph-def.ts";
import { type Recording, record } from "./recorder.ts";

/** The first run records, then every run, also the first, takes its results from the graph. */
export function graphProgram(
  core: Pick<typeof tf, "tidy" | "tensor" | "clone">,
  backend: NodeBackend,
  computation: Computation,
): Program {
  const { binding } = backend;
  let recorded: ReturnType<typeof start> | null = null;

  const start = (params: readonly tf.Tensor[]) => {
    const recording = record(core, backend, computation, params);
    const { feeds, outputs } = recording;
    const inputs = [...recording.params, ...feeds.map(({ name }) => `${name}:0`)];
    return { model: load(backend, recording), feeds, inputs: inputs.join(","), outputs: outputs.join(",") };
  };

  return {
    run(params) {
      recorded ??= start(params);
      const { model, feeds, inputs, outputs } = recorded;
      const uploaded: number[] = [];
      const fed = feeds.map(({ name, shape, dtype, make }) => {
        const values = make();
        if (isTensor(values)) return backend.getInputTensorIds([values])[0]!;
        const size = sizeOf(shape);
        invariant(values.length === size, `${name} has the ${size} values of its shape, not ${values.length}`);
        uploaded.push(binding.createTensor(shape, dtype, values));
        return uploaded.at(-1)!;
      });
      try {
        const ids = [...backend.getInputTensorIds(params), ...fed];
        return binding.runSavedModel(model, ids, inputs, outputs).map((handle) => backend.createOutputTensor(handle));
      } finally {
        for (const id of uploaded) binding.deleteTensor(id);
      }
    },
  };
}

function load({ binding }: NodeBackend, { nodes }: Recording): number {
  const folder = mkdtempSync(join(tmpdir(), "plume-graph-"));
  try {
    mkdirSync(join(folder, "variables"));
    writeFileSync(join(folder, "saved_model.pb"), savedModel(nodes));
    return binding.loadSavedModel(folder, "serve");
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
