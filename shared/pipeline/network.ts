// The network that a job's spec asks for.

import type { JobSpec } from "../config/schema.ts";
import { NETWORKS } from "../models/index.ts";
import type { Network } from "../nn/network.ts";

/** @param channels of the data set's images. @throws PlumeError INVALID_ARGUMENT when the settings fit no network. */
export const buildNetwork = async (spec: JobSpec, channels: number): Promise<Network> =>
  (await NETWORKS[spec.model.type].load())(spec, channels);
