// What a reducer starts from: fresh parameters of the seed, or what a checkpoint has kept.

import type { Checkpoint } from "../checkpoint/read.ts";
import type { JobSpec } from "../config/schema.ts";
import { PlumeError } from "../errors.ts";
import type { Reducer, Vector } from "../kernels/reducer.ts";
import { initialParameters } from "../nn/init.ts";
import { shardsOf } from "../tensor/flat.ts";
import type { Shard } from "../tensor/layout.ts";

/** The state before step 0. @throws PlumeError FAILED_PRECONDITION for a job that begins with imported weights. */
export async function initialise(reducer: Reducer, { seed, training }: JobSpec): Promise<void> {
  if (training.init !== undefined)
    throw new PlumeError(
      "FAILED_PRECONDITION",
      `training.init is ${training.init}: the run starts from imported weights, and there is no checkpoint that holds them`,
      { remedy: "give the folder with plume train --init FOLDER, or import it with plume checkpoints import" },
    );
  const flat = initialParameters(reducer.layout, seed);
  await fill(reducer, reducer.params, ({ offset, size }) => flat.subarray(offset, offset + size));
  await fill(reducer, reducer.ema, ({ offset, size }) => flat.subarray(offset, offset + size));
  for (const vector of Object.values(reducer.moments))
    await fill(reducer, vector, ({ size }) => new Float32Array(size));
}

/** The state that the checkpoint was taken of. @throws PlumeError FAILED_PRECONDITION for another model or optimizer. */
export async function restore(reducer: Reducer, { vectors }: Pick<Checkpoint, "vectors">): Promise<void> {
  const kept: [Vector, ReadonlyMap<string, Float32Array>][] = [
    [reducer.params, vectors.params!],
    [reducer.ema, vectors.ema!],
  ];
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
    kept.push([vector, saved]);
  }
  for (const [vector, tensors] of kept) {
    const shards = shardsOf(reducer.layout, tensors);
    await fill(reducer, vector, ({ index }) => shards[index]!);
  }
}

async function fill(reducer: Reducer, vector: Vector, floats: (shard: Shard) => Float32Array): Promise<void> {
  await Promise.all(reducer.layout.shards.map((shard) => reducer.write(vector, shard, floats(shard))));
}
