// The families that have an adapter.

import type { GoldenFamily } from "../family.ts";
import { ancestralDdim } from "./ancestral_ddim.ts";
import { blocks } from "./blocks.ts";
import { consistency } from "./consistency.ts";
import { diffusionCoefficients } from "./diffusion_coefficients.ts";
import { dpmSolver } from "./dpm_solver.ts";
import { edm } from "./edm.ts";
import { embeddings } from "./embeddings.ts";
import { gan } from "./gan.ts";
import { gaussianOps } from "./gaussian_ops.ts";
import { guidance } from "./guidance.ts";
import { kSamplers } from "./k_samplers.ts";
import { lossesVlb } from "./losses_vlb.ts";
import { metrics } from "./metrics.ts";
import { networks } from "./networks.ts";
import { nonequilibrium } from "./nonequilibrium.ts";
import { optim } from "./optim.ts";
import { schedules } from "./schedules.ts";
import { sde } from "./sde.ts";
import { sdeSamplers } from "./sde_samplers.ts";
import { textConditional } from "./text_conditional.ts";

export const FAMILIES: Readonly<Record<string, GoldenFamily>> = Object.fromEntries(
  [
    schedules,
    diffusionCoefficients,
    gaussianOps,
    ancestralDdim,
    lossesVlb,
    guidance,
    consistency,
    embeddings,
    blocks,
    networks,
    optim,
    metrics,
    nonequilibrium,
    gan,
    sde,
    kSamplers,
    edm,
    dpmSolver,
    sdeSamplers,
    textConditional,
  ].map((family) => [family.name, family]),
);
