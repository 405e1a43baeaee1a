// A computation that runs again and again with other values: what a backend may record once and replay.

import type * as tf from "@tensorflow/tfjs-core";
import { PlumeError } from "../errors.ts";

/** Values from the host, or a tensor of the device, which stays its owner's. */
export type Fed = Float32Array | Int32Array | tf.Tensor;

/** Brings in what is made anew for every run; its shape and dtype never change. */
export type Feed = (shape: readonly number[], dtype: "float32" | "int32", make: () => Fed) => tf.Tensor;

/**
 * Plain TensorFlow.js operations from parameters and fed values to outputs. It may look at shapes, never at values, and
 * runs as often as the backend likes: whatever differs between two runs comes in through `feed`.
 */
export type Computation = (feed: Feed, params: readonly tf.Tensor[]) => readonly tf.Tensor[];

export interface Program {
  /** @param params on the device, of the same shapes at every run. @returns the outputs, in order; the caller's to dispose. */
  run(params: readonly tf.Tensor[]): readonly tf.Tensor[];
}

export type MakeProgram = (computation: Computation) => Program;

/** Programs of batches by their size, each made when it is first asked for. */
export function programsBySize(program: MakeProgram) {
  const programs = new Map<number, Program>();
  return (n: number, computation: () => Computation): Program => {
    const made = programs.get(n) ?? program(computation());
    programs.set(n, made);
    return made;
  };
}

/** What looks at values while it is recorded would go on with these for ever. */
export const valuesRead = (): PlumeError =>
  new PlumeError("INTERNAL", "a recorded computation read values of a tensor; they would be fixed for ever", {
    remedy: "bring them in through feed",
  });

export const isTensor = (fed: Fed): fed is tf.Tensor => "dataId" in fed;

/** Runs the operations one by one, every time. */
export function eagerProgram(core: Pick<typeof tf, "tidy" | "tensor" | "clone">, computation: Computation): Program {
  const feed: Feed = (shape, dtype, make) => {
    const fed = make();
    return isTensor(fed) ? core.clone(fed) : core.tensor(fed, [...shape], dtype);
  };
  return { run: (params) => core.tidy(() => [...computation(feed, params)]) };
}
