// The network that a job's spec asks for.

import type { JobSpec } from "../config/schema.ts";
import { NETWORKS } from "../models/index.ts";
import type { ImageShape } from "../models/of-job.ts";
import type { Network } from "../nn/network.ts";

/** @param image of the data set. @throws PlumeError INVALID_ARGUMENT when the settings fit no network. */
export const buildNetwork = async (spec: JobSpec, image: ImageShape): Promise<Network> =>
  (await NETWORKS[spec.model.type].load())(spec, image);
