// From a checkpoint to the weights that a format is made of.

import { type Checkpoint, readCheckpoint } from "../checkpoint/read.ts";
import type { Weights } from "../config/models.ts";
import { PlumeError } from "../errors.ts";
import { buildNetwork } from "../pipeline/network.ts";
import type { ObjectStore } from "../store/object-store.ts";
import { buildLayout } from "../tensor/layout.ts";
import type { ModelWeights } from "./formats.ts";

/** The vector of a checkpoint that holds them. */
const vectorOf = (weights: Weights): string => (weights === "ema" ? "ema" : "params");

/** @param onSkipped with "latest": a newer checkpoint was passed over. @throws as readCheckpoint. */
export async function readWeights(
  store: ObjectStore,
  which: "latest" | number,
  weights: Weights,
  onSkipped?: (step: number, reason: string) => void,
): Promise<ModelWeights> {
  const vector = vectorOf(weights);
  const options = { vectors: [vector], ...(onSkipped ? { onSkipped } : {}) };
  const { job, state, vectors } = await readCheckpoint(store, which, options);
  const { params } = await buildNetwork(job.spec, state.imageSet);
  const tensors = tensorsOf(params, vectors[vector] ?? new Map(), `${store.url}: ${vector}`);
  return { job, step: state.step, weights, imageSet: state.imageSet, tensors };
}

/** In the network's order. */
function tensorsOf(
  params: Parameters<typeof buildLayout>[0],
  values: Checkpoint["vectors"][string],
  where: string,
): ModelWeights["tensors"] {
  return buildLayout(params).tensors.map(({ name, shape, size }) => {
    const there = values.get(name);
    if (there?.length !== size)
      throw new PlumeError("DATA_LOSS", `${where}: tensor ${name} is missing or has another size`);
    return { name, shape, values: there };
  });
}
