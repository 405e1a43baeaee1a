// Another trained model on this device: its network and its weights, of which nothing is learned.

import type { JobSpec } from "../config/schema.ts";
import type { Network } from "../nn/network.ts";
import { buildLayout } from "../tensor/layout.ts";
import { createDeviceParams, type DeviceParams } from "./device-params.ts";
import { buildNetwork } from "./network.ts";

export interface FrozenWeights {
  /** Of the job that trained them. */
  readonly spec: JobSpec;
  /** Of the images that they were trained on. */
  readonly channels: number;
  /** float32 [layout.size] of that job's network. */
  readonly flat: Float32Array;
}

export interface FrozenNetwork {
  readonly spec: JobSpec;
  readonly network: Network;
  readonly params: DeviceParams;
}

/** Puts each model's weights on the device, where they stay. */
export async function openFrozen<Name extends string>(
  models: Readonly<Partial<Record<Name, FrozenWeights>>>,
): Promise<Readonly<Partial<Record<Name, FrozenNetwork>>>> {
  const opened = Object.entries<FrozenWeights | undefined>(models).map(async ([name, model]) => {
    const { spec, channels, flat } = model!;
    const network = await buildNetwork(spec, channels);
    const params = createDeviceParams(buildLayout(network.params));
    params.load(flat);
    return [name, { spec, network, params }] as const;
  });
  return Object.fromEntries(await Promise.all(opened)) as Partial<Record<Name, FrozenNetwork>>;
}
