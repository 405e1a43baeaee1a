// Another trained model on this device: its network and its weights, of which nothing is learned.

import type { TrainedName } from "../config/models.ts";
import type { JobSpec } from "../config/schema.ts";
import type { ImageShape } from "../models/of-job.ts";
import type { Network } from "../nn/network.ts";
import { buildLayout } from "../tensor/layout.ts";
import { createDeviceParams, type DeviceParams } from "./device-params.ts";
import { buildNetwork } from "./network.ts";

export interface FrozenWeights {
  /** Of the job that trained them. */
  readonly spec: JobSpec;
  /** Of the images that they were trained on. */
  readonly image: ImageShape;
  /** float32 [layout.size] of that job's network. */
  readonly flat: Float32Array;
}

export interface FrozenNetwork {
  readonly spec: JobSpec;
  readonly network: Network;
  readonly params: DeviceParams;
}

export type FrozenNetworks = Readonly<Partial<Record<TrainedName, FrozenNetwork>>>;

/** Puts the weights of each model that there is on the device, where they stay. */
export async function openFrozen(
  models: Readonly<Partial<Record<TrainedName, FrozenWeights | undefined>>>,
): Promise<FrozenNetworks> {
  const there = Object.entries<FrozenWeights | undefined>(models).filter(([, model]) => model !== undefined);
  const opened = there.map(async ([name, model]) => [name, await onDevice(model!)]);
  return Object.fromEntries(await Promise.all(opened));
}

export async function onDevice({ spec, image, flat }: FrozenWeights): Promise<FrozenNetwork> {
  const network = await buildNetwork(spec, image);
  const params = createDeviceParams(buildLayout(network.params));
  params.load(flat);
  return { spec, network, params };
}
