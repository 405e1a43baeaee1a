// What a reducer starts from: fresh parameters of the seed, or what a checkpoint has kept.

import { checkComplete, type OpenCheckpoint, placedSpans } from "../checkpoint/read.ts";
import type { JobSpec } from "../config/schema.ts";
import { PlumeError } from "../errors.ts";
import type { Reducer, Vector } from "../kernels/reducer.ts";
import { initialParameters } from "../nn/init.ts";
import type { Shard } from "../tensor/layout.ts";
import type { FrozenWeights } from "./frozen.ts";

/**
 * The state before step 0. @param frozen the job's other models: training.init may name one.
 * @throws PlumeError FAILED_PRECONDITION for a job that begins with imported weights.
 */
export async function initialise(
  reducer: Reducer,
  { seed, training }: JobSpec,
  frozen: Readonly<Record<string, Pick<FrozenWeights, "flat">>>,
): Promise<void> {
  const model = training.init === undefined ? undefined : frozen[training.init];
  if (training.init !== undefined && model === undefined)
    throw new PlumeError(
      "FAILED_PRECONDITION",
      `training.init is ${training.init}: the run starts from imported weights, and there is no checkpoint that holds them`,
      { remedy: "give the folder with plume train --init FOLDER, or import it with plume checkpoints import" },
    );
  const flat = model?.flat ?? initialParameters(reducer.layout, seed);
  await fill(reducer, reducer.params, ({ offset, size }) => flat.subarray(offset, offset + size));
  await fill(reducer, reducer.ema, ({ offset, size }) => flat.subarray(offset, offset + size));
  for (const vector of Object.values(reducer.moments))
    await fill(reducer, vector, ({ size }) => new Float32Array(size));
}

/**
 * The state that the checkpoint was taken of, part by part, so that it is never in memory twice. After a failure the
 * vectors hold some of it. @throws PlumeError DATA_LOSS; FAILED_PRECONDITION for another model or optimizer.
 */
export async function restore(reducer: Reducer, checkpoint: Pick<OpenCheckpoint, "manifest" | "parts">): Promise<void> {
  const vectors = vectorsOf(reducer);
  for (const name of vectors.keys())
    if (!checkpoint.manifest.parts.some(({ vector }) => vector === name)) throw withoutVector(name);
  const seen = new Map([...vectors.keys()].map((name) => [name, new Set<string>()]));
  for await (const part of checkpoint.parts([...vectors.keys()])) {
    const placed = placedSpans(reducer.layout, part);
    await reducer.writeTensors(
      vectors.get(part.vector)!,
      placed.map(({ span, tensor }) => ({ tensor, position: span.start })),
      part.file,
    );
    for (const { span } of placed) seen.get(part.vector)!.add(span.name);
  }
  for (const names of seen.values()) checkComplete(reducer.layout, names);
}

/** What a checkpoint keeps of a reducer, under the names that it has there. */
export const vectorsOf = ({ params, ema, moments }: Reducer): ReadonlyMap<string, Vector> =>
  new Map([
    ["params", params],
    ["ema", ema],
    ...Object.entries(moments).map(([name, vector]) => [`moments.${name}`, vector] as const),
  ]);

function withoutVector(name: string): PlumeError {
  if (!name.startsWith("moments.")) return new PlumeError("DATA_LOSS", `the checkpoint has no ${name}`);
  const moment = name.slice("moments.".length);
  return new PlumeError(
    "FAILED_PRECONDITION",
    `the checkpoint has no optimizer state "${moment}": it was trained with another optimizer`,
    { remedy: "keep training.optimizer.type, or start over with --resume never" },
  );
}

async function fill(reducer: Reducer, vector: Vector, floats: (shard: Shard) => Float32Array): Promise<void> {
  await Promise.all(reducer.layout.shards.map((shard) => reducer.write(vector, shard, floats(shard))));
}
