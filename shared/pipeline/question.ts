// What a network is asked in training, and what its answer costs: of a process of levels, and of a chain.

import type * as tf from "@tensorflow/tfjs-core";
import type { JobSpec } from "../config/schema.ts";
import { denoisingOf } from "../diffusion/denoising.ts";
import type { Random } from "../diffusion/nonequilibrium/chain.ts";
import { parameterizationOf } from "../diffusion/parameterization.ts";
import { type LookUp, readVariance } from "../diffusion/prediction.ts";
import { createProcess } from "../diffusion/process.ts";
import { loadChain, noiseProcess } from "../diffusion/processes/index.ts";
import { OBJECTIVES } from "../objectives/index.ts";
import type { ChainObjective, Objective, ObjectiveOptions } from "../objectives/objective.ts";
import { PURPOSE, type Purpose } from "../rng/stream.ts";

interface Asked {
  /** x_t as the network sees it. */
  readonly seen: tf.Tensor;
  /** A sample's loss, float32 [B]. @param output of the network. */
  loss(output: tf.Tensor): tf.Tensor;
}

/** @param images in [-1, 1], float32 [B, H, W, C]. @param t times of the process. */
export type Question = (images: tf.Tensor, t: LookUp, random: (purpose: Purpose) => Random) => Asked;

export async function loadQuestion({ diffusion }: JobSpec): Promise<Question> {
  const kind = OBJECTIVES[diffusion.objective];
  return kind.of === "chain" ? ofChain(diffusion, await kind.load()) : ofLevels(diffusion, await kind.load());
}

function ofLevels(diffusion: JobSpec["diffusion"], objective: Objective): Question {
  const denoising = denoisingOf(
    noiseProcess(diffusion),
    parameterizationOf(diffusion.predict, diffusion.sigmaData),
    diffusion.weighting,
  );
  const options: ObjectiveOptions = {
    coefficients: createProcess({ schedule: diffusion.schedule, timesteps: diffusion.timesteps }),
    variance: diffusion.variance,
    vlbWeight: diffusion.vlbWeight,
  };
  return (x0, t, random) => {
    const eps = random(PURPOSE.noise).normals();
    const x_t = denoising.noised(x0, eps, t);
    const read = (F: tf.Tensor) => ({ x0: denoising.read(x_t, F, t) });
    const asked = {
      x0,
      x_t,
      t,
      target: denoising.targetOf(x0, eps, t),
      weight: denoising.weight(t),
      read: (output: tf.Tensor) => readVariance(options.coefficients, options.variance, t, output, read),
    };
    return { seen: denoising.seen(x_t, t), loss: (output) => objective(asked, output, options).loss };
  };
}

async function ofChain(diffusion: JobSpec["diffusion"], objective: ChainObjective): Promise<Question> {
  const chain = await loadChain(diffusion);
  return (images, t, random) => {
    const x0 = chain.data(images, random(PURPOSE.dequantise));
    const x_t = chain.noised(x0, t, random(PURPOSE.noise));
    return { seen: x_t, loss: (output) => objective(chain, x0, chain.reverse(x_t, t, output)).loss };
  };
}
