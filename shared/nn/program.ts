// A computation that runs again and again with other values: what a backend may record once and replay.

import type * as tf from "@tensorflow/tfjs-core";

/** Brings in values that are made anew on the host for every run; their shape and dtype never change. */
export type Feed = (
  shape: readonly number[],
  dtype: "float32" | "int32",
  make: () => Float32Array | Int32Array,
) => tf.Tensor;

/**
 * Plain TensorFlow.js operations from parameters and fed values to outputs. It may look at shapes, never at values, and
 * runs as often as the backend likes: whatever differs between two runs comes in through `feed`.
 */
export type Computation = (feed: Feed, params: readonly tf.Tensor[]) => readonly tf.Tensor[];

export interface Program {
  /** @param params on the device, of the same shapes at every run. @returns the outputs' values, in order. */
  run(params: readonly tf.Tensor[]): readonly Float32Array[];
}

export type MakeProgram = (computation: Computation) => Program;

/** Runs the operations one by one, every time. */
export function eagerProgram(core: Pick<typeof tf, "tidy" | "tensor">, computation: Computation): Program {
  return {
    run(params) {
      let values: Float32Array[] = [];
      core.tidy(() => {
        const feed: Feed = (shape, dtype, make) => core.tensor(make(), [...shape], dtype);
        values = computation(feed, params).map((output) => output.dataSync() as Float32Array);
      });
      return values;
    },
  };
}
