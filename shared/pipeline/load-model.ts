// A checkpoint made ready to sample from: its job, its network, its weights on the device.

import { locateCheckpoint } from "../checkpoint/locate.ts";
import type { CheckpointState } from "../checkpoint/manifest.ts";
import { readCheckpoint } from "../checkpoint/read.ts";
import type { Job } from "../config/schema.ts";
import { PlumeError } from "../errors.ts";
import type { Network } from "../nn/network.ts";
import { buildLayout, type Layout } from "../tensor/layout.ts";
import { createDeviceParams, type DeviceParams } from "./device-params.ts";
import { buildNetwork } from "./network.ts";

export interface LoadedModel {
  readonly job: Job;
  readonly state: CheckpointState;
  readonly network: Network;
  readonly layout: Layout;
  readonly params: DeviceParams;
}

/**
 * @param checkpoint as on the command line: a run's folder, a store, or one step's folder.
 * @param open opens the backend that the weights go to, once it is known what they are of.
 */
export async function loadModel<B>(
  checkpoint: string,
  weights: string,
  open: (job: Job) => Promise<B>,
): Promise<LoadedModel & { readonly backend: B }> {
  if (weights !== "ema" && weights !== "raw")
    throw new PlumeError("INVALID_ARGUMENT", `--weights ${weights} is unknown`, {
      remedy: "use ema (the average) or raw (the last step's)",
    });
  const { store, which } = await locateCheckpoint(checkpoint);
  const vector = weights === "ema" ? "ema" : "params";
  const { job, state, vectors } = await readCheckpoint(store, which, { vectors: [vector] });
  const network = buildNetwork(job.spec, state.imageSet.channels);
  const layout = buildLayout(network.params);
  const flat = new Float32Array(layout.size);
  for (const { name, offset, size } of layout.tensors) {
    const values = vectors[vector]?.get(name);
    if (values?.length !== size)
      throw new PlumeError("DATA_LOSS", `${store.url}: tensor ${name} of ${vector} is missing or has another size`);
    flat.set(values, offset);
  }
  const backend = await open(job);
  const params = createDeviceParams(layout);
  params.load(flat);
  return { job, state, network, layout, params, backend };
}
