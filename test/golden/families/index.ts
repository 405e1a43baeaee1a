// The families that have an adapter.

import type { GoldenFamily } from "../family.ts";
import { ancestralDdim } from "./ancestral_ddim.ts";
import { blocks } from "./blocks.ts";
import { diffusionCoefficients } from "./diffusion_coefficients.ts";
import { embeddings } from "./embeddings.ts";
import { gaussianOps } from "./gaussian_ops.ts";
import { networks } from "./networks.ts";
import { optim } from "./optim.ts";
import { schedules } from "./schedules.ts";
import { sde } from "./sde.ts";
import { sdeSamplers } from "./sde_samplers.ts";

export const FAMILIES: Readonly<Record<string, GoldenFamily>> = Object.fromEntries(
  [
    schedules,
    diffusionCoefficients,
    gaussianOps,
    ancestralDdim,
    embeddings,
    blocks,
    networks,
    optim,
    sde,
    sdeSamplers,
  ].map((family) => [family.name, family]),
);
