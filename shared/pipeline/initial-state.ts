// What a reducer starts from: fresh parameters of the seed, or what a checkpoint has kept.

import type { Checkpoint } from "../checkpoint/read.ts";
import { PlumeError } from "../errors.ts";
import type { Reducer, Vector } from "../kernels/reducer.ts";
import { initialParameters } from "../nn/init.ts";
import { setTensors } from "../tensor/flat.ts";

/** The state before step 0. */
export function initialise(reducer: Reducer, seed: number): void {
  const flat = initialParameters(reducer.layout, seed);
  fill(reducer, reducer.params, flat);
  fill(reducer, reducer.ema, flat);
  for (const vector of Object.values(reducer.moments)) fill(reducer, vector, null);
}

function fill(reducer: Reducer, vector: Vector, flat: Float32Array | null): void {
  for (const { index, offset, size } of reducer.layout.shards) {
    if (flat) vector.shard(index).set(flat.subarray(offset, offset + size));
    else vector.shard(index).fill(0);
  }
}

/** The state that the checkpoint was taken of. @throws PlumeError FAILED_PRECONDITION for another model or optimizer. */
export function restore(reducer: Reducer, { vectors }: Pick<Checkpoint, "vectors">): void {
  setTensors(reducer.layout, reducer.params, vectors.params!);
  setTensors(reducer.layout, reducer.ema, vectors.ema!);
  for (const [name, vector] of Object.entries(reducer.moments)) {
    const saved = vectors[`moments.${name}`];
    if (!saved)
      throw new PlumeError(
        "FAILED_PRECONDITION",
        `the checkpoint has no optimizer state "${name}": it was trained with another optimizer`,
        {
          remedy: "keep training.optimizer.type, or start over with --resume never",
        },
      );
    setTensors(reducer.layout, vector, saved);
  }
}
