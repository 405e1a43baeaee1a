// The families that have an adapter.

import type { GoldenFamily } from "../family.ts";
import { ancestralDdim } from "./ancestral_ddim.ts";
import { blocks } from "./blocks.ts";
import { diffusionCoefficients } from "./diffusion_coefficients.ts";
import { dpmSolver } from "./dpm_solver.ts";
import { edm } from "./edm.ts";
import { embeddings } from "./embeddings.ts";
import { gaussianOps } from "./gaussian_ops.ts";
import { kSamplers } from "./k_samplers.ts";
import { networks } from "./networks.ts";
import { optim } from "./optim.ts";
import { schedules } from "./schedules.ts";

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
    kSamplers,
    edm,
    dpmSolver,
  ].map((family) => [family.name, family]),
);
