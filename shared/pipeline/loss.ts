// What a job's objective makes small, whichever form it has: when training draws its times, what is computed beside the
// gradient, and the loss of the network that learns.

import type * as tf from "@tensorflow/tfjs-core";
import type { TrainedName } from "../config/models.ts";
import type { JobSpec } from "../config/schema.ts";
import { type LevelDenoiser, type NetworkOutput, preconditioned } from "../diffusion/consistency.ts";
import { denoisingOf } from "../diffusion/denoising.ts";
import type { Random } from "../diffusion/nonequilibrium/chain.ts";
import { parameterizationOf } from "../diffusion/parameterization.ts";
import { type LookUp, readVariance } from "../diffusion/prediction.ts";
import { createProcess } from "../diffusion/process.ts";
import { loadChain, noiseProcess, timesOf } from "../diffusion/processes/index.ts";
import { type Draws, SIGMA_RANGES, sigmaRange } from "../diffusion/processes/process.ts";
import { invariant } from "../invariant.ts";
import { aimedLoss } from "../objectives/aim.ts";
import { objectiveKind } from "../objectives/index.ts";
import type {
  Asked,
  ChainObjective,
  LevelObjective,
  LevelOptions,
  Objective,
  ObjectiveOptions,
  Path,
} from "../objectives/objective.ts";
import { PURPOSE, type Purpose } from "../rng/stream.ts";
import { weightedTimes } from "./importance.ts";

type Diffusion = JobSpec["diffusion"];

export interface Times {
  /** A time of the process, or a level of the grid, for each sample. */
  readonly t: ArrayLike<number>;
  /** The grid. */
  readonly levels?: Float64Array;
  /** What the loss of each sample counts, float64 [n]; 1 when absent. */
  readonly counts?: Float64Array;
}

/** A network of which nothing is learned, under the labels of the micro-batch. */
interface Frozen {
  readonly diffusion: Diffusion;
  readonly output: NetworkOutput;
}

/** A micro-batch inside a computation: values that differ from run to run come in by t and sigmas. */
interface Question extends Omit<Path, "i" | "eps"> {
  readonly t: LookUp;
  /** Of x_0's shape, from the streams of the micro-batch. */
  readonly random: (purpose: Purpose) => Random;
  /** Classes of the images, int32 [n]. */
  readonly labels: () => tf.Tensor1D;
  /** The network that learns, as it is. */
  readonly target: NetworkOutput;
  readonly frozen: Readonly<Partial<Record<TrainedName, Frozen>>>;
}

/** float32 [B] of the network that learns. */
type LossOf = (output: NetworkOutput) => tf.Tensor;

export interface Loss {
  /** @param weights of the process' steps, float64 [T]; absent where its times are drawn as it says. */
  draw(draws: Draws, n: number, step: number, weights?: Float64Array): Times;
  /** Computes what nothing is learned of: outside of the gradient. */
  prepare(question: Question): LossOf;
}

export async function openLoss({ diffusion }: JobSpec): Promise<Loss> {
  const kind = objectiveKind(diffusion.objective);
  invariant(
    kind.asks !== "players" && kind.asks !== "evidence" && kind.asks !== "towers" && kind.asks !== "tokens",
    `${diffusion.objective} is no loss of a process`,
  );
  if (kind.asks === "chain") return chainLoss(diffusion, await kind.load());
  return kind.asks === "output"
    ? outputLoss(diffusion, await kind.load())
    : denoisersLoss(diffusion, (await kind.load())(levelOptions(diffusion)));
}

const parameterization = ({ predict, sigmaData, sigmaMin }: Diffusion) =>
  parameterizationOf(predict, sigmaData, sigmaMin);

function outputLoss(diffusion: Diffusion, objective: Objective): Loss {
  const process = noiseProcess(diffusion);
  const denoising = denoisingOf(process, parameterization(diffusion), diffusion.weighting);
  const options: ObjectiveOptions = {
    coefficients: createProcess({ schedule: diffusion.schedule, timesteps: diffusion.timesteps }),
    variance: diffusion.variance,
    vlbWeight: diffusion.vlbWeight,
  };
  const askedOf = ({ x0, random, t, labels }: Question): Asked => {
    const eps = random(PURPOSE.noise).normals();
    const x_t = denoising.noised(x0, eps, t);
    const read = (F: tf.Tensor) => ({ x0: denoising.read(x_t, F, t) });
    return {
      x0,
      x_t,
      t,
      target: denoising.targetOf(x0, eps, t),
      weight: denoising.weight(t),
      read: (output) => readVariance(options.coefficients, options.variance, t, output, read),
      labels,
    };
  };
  return {
    draw: (draws, n, _, weights) => (weights ? weightedTimes(weights, draws, n) : { t: process.draw(draws, n) }),
    prepare(question) {
      const { t } = question;
      const asked = askedOf(question);
      const [seen, label] = [denoising.seen(asked.x_t, t), t(process.label)];
      return (output) => objective(asked, output(seen, label), options).loss;
    },
  };
}

const levelOptions = (diffusion: Diffusion): LevelOptions => {
  const { min: sigmaMin, max: sigmaMax } = sigmaRange(SIGMA_RANGES.edm, diffusion);
  return { sigmaMin, sigmaMax, sigmaData: diffusion.sigmaData, scales: diffusion.scales };
};

/** D(x; sigma) around a network, as its own job trains it. */
const denoiserOf = (diffusion: Diffusion, output: NetworkOutput): LevelDenoiser =>
  preconditioned(output, parameterization(diffusion), noiseProcess(diffusion).label);

function denoisersLoss(diffusion: Diffusion, objective: LevelObjective): Loss {
  const { stride, weighed } = objective;
  return {
    draw(draws, n, step) {
      const levels = objective.levels(step);
      const starts = (levels.length - 1) / stride;
      return { levels, t: draws.integers(n, starts).map((k) => stride * k) };
    },
    prepare({ x0, random, sigmas, t, target, frozen }) {
      const eps = random(PURPOSE.noise).normals();
      const others = Object.entries(frozen).map(([name, model]) => [name, denoiserOf(model.diffusion, model.output)]);
      const denoisers = { target: denoiserOf(diffusion, target), ...Object.fromEntries(others) };
      const aim = objective.aim({ x0, eps, sigmas, i: t }, denoisers);
      return (output) => aimedLoss(weighed, denoiserOf(diffusion, output), aim);
    },
  };
}

async function chainLoss(diffusion: Diffusion, objective: ChainObjective): Promise<Loss> {
  const chain = await loadChain(diffusion);
  const times = timesOf(diffusion);
  return {
    draw: (draws, n) => ({ t: times.draw(draws, n) }),
    prepare({ x0: images, random, t }) {
      const x0 = chain.data(images, random(PURPOSE.dequantise));
      const x_t = chain.noised(x0, t, random(PURPOSE.noise));
      const [seen, label] = [chain.seen(x_t), t(times.label)];
      return (output) => objective(chain, x0, chain.reverse(x_t, t, output(seen, label))).loss;
    },
  };
}
