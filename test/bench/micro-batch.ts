// A micro-batch step of one process on one backend: parameters to the device, noise, forward, backward, AdamW. The
// same work as torch/unet_step.py, with the code that workers and the reducer run.

import type { BackendName } from "../../shared/backends/backend.ts";
import { openBackend } from "../../shared/backends/index.ts";
import type { JobSpec } from "../../shared/config/schema.ts";
import { invariant } from "../../shared/invariant.ts";
import { createVectorHeap, type HeapVector } from "../../shared/kernels/kernels.ts";
import { initialParameters } from "../../shared/nn/init.ts";
import { optimizerCalls } from "../../shared/optim/optimizers.ts";
import { createDeviceParams } from "../../shared/pipeline/device-params.ts";
import { createMicroBatch } from "../../shared/pipeline/micro-batch.ts";
import { buildNetwork } from "../../shared/pipeline/network.ts";
import { buildLayout } from "../../shared/tensor/layout.ts";

export interface MicroBatchBench {
  readonly parameters: number;
  readonly device: string;
  /** float32 [padded]: the parameters as they are now. */
  readonly weights: Float32Array;
  /** One step. @returns milliseconds. */
  step(): Promise<number>;
}

/** @param spec a job on images of `side` x `side` pixels with one channel; the images are noise. */
export async function openMicroBatchBench(spec: JobSpec, side: number, name: BackendName): Promise<MicroBatchBench> {
  const backend = await openBackend(name);
  const network = await buildNetwork(spec, { height: side, width: side, channels: 1 });
  const layout = buildLayout(network.params);
  const params = createDeviceParams(layout);
  const heap = createVectorHeap(layout);
  const [weights, gradient, m, v] = [heap.allocate(), heap.allocate(), heap.allocate(), heap.allocate()];
  weights.floats.set(initialParameters(layout, spec.seed));
  m.floats.fill(0);
  v.floats.fill(0);
  const compute = createMicroBatch(spec, network, layout, { height: side, width: side, channels: 1 }, backend);
  const n = spec.training.microBatch;
  const pixels = Uint8Array.from({ length: n * side * side }, (_, k) => (k * 2654435761) >>> 24);
  const labels = Int32Array.from({ length: n }, (_, k) => k % spec.model.classes);
  const moments: Readonly<Record<string, HeapVector>> = { m, v };
  let count = 0;

  const optimize = () => {
    const update = { ...spec.training.optimizer, type: "adamw", gradientScale: 1, count } as const;
    const at = {
      p: weights.pointer,
      g: gradient.pointer,
      n: layout.size,
      moment: (name: string) => moments[name]!.pointer,
    };
    const kernels = heap.kernels as unknown as Record<string, (...args: number[]) => void>;
    for (const [name, ...args] of optimizerCalls(update, at)) kernels[name]!(...args);
  };

  return {
    parameters: layout.parameters,
    device: backend.device,
    weights: weights.floats,
    async step() {
      const started = performance.now();
      params.load(weights.floats);
      const loss = await compute(params, { step: count++, index: 0, pixels, labels }, gradient.floats);
      invariant(Number.isFinite(loss), `the loss of step ${count} is ${loss}`);
      optimize();
      return performance.now() - started;
    },
  };
}
