// `plume eval --bound`: how many bits a chain's model needs for images that it was not trained on.

import * as tf from "@tensorflow/tfjs-core";
import type { Backend } from "../../../../shared/backends/backend.ts";
import type { Job } from "../../../../shared/config/schema.ts";
import { CHAIN_NAMES, chainKind, loadChain } from "../../../../shared/diffusion/processes/index.ts";
import { PlumeError } from "../../../../shared/errors.ts";
import { boundOfTrajectory } from "../../../../shared/eval/trajectory.ts";
import { loadModel } from "../../../../shared/interop/load-model.ts";
import { generates } from "../../../../shared/models/index.ts";
import { createKernels } from "../../../../shared/pipeline/chain.ts";
import { imageRandom, scaled, seen } from "../../../../shared/pipeline/pixels.ts";
import { shuffleShape } from "../../../../shared/pipeline/shape.ts";
import { batchesOf } from "../../../../shared/pipeline/tiles.ts";
import { PURPOSE, type Purpose } from "../../../../shared/rng/stream.ts";
import { spreadOf } from "../../../../shared/spread.ts";
import type { CommandIo } from "../../action.ts";
import { openHeldOut } from "../../held-out.ts";
import { breathe } from "../../sampling.ts";

/** Images computed together: bounds the memory; what comes out does not depend on it. */
const BATCH = 250;

export interface BoundAsked {
  readonly count: number;
  readonly seeds: readonly number[];
  readonly weights: string | undefined;
}

/** @throws PlumeError FAILED_PRECONDITION for a model of another process. */
export async function evaluateBound(
  io: CommandIo,
  checkpoint: string,
  { count, seeds, weights: asked }: BoundAsked,
  open: (job: Job) => Promise<Backend>,
): Promise<void> {
  const model = await loadModel(checkpoint, asked, open);
  const { job, step, weights, network, params, backend } = model;
  const { spec } = job;
  checkProcess(checkpoint, job);
  await using sets = await openHeldOut(model, io.signal);
  const { test, heldOut, which } = sets;
  const chain = await loadChain(spec.diffusion);
  const { program } = backend;
  const kernels = createKernels({ spec, network, params, program });
  const { patch } = spec.data;
  const { height, width, channels } = shuffleShape(test, patch);
  const images = Math.min(count, test.size);
  const bits: number[] = [];
  let prior = 0;
  for (const seed of seeds)
    for (const indices of batchesOf(images, BATCH)) {
      const { pixels, labels } = await test.read(indices, io.signal);
      const x = tf.tensor4d(seen(scaled(pixels), test, patch), [indices.length, height, width, channels]);
      const random = (purpose: Purpose, t: number) => imageRandom({ seed, purpose, step: t }, indices, test, patch);
      const kernel = kernels(chain, spec.model.classes > 0 ? labels : null);
      const found = await boundOfTrajectory(kernel, chain, x, {
        dequantise: random(PURPOSE.dequantise, 0),
        random: (t) => random(PURPOSE.sampleStep, t),
        onStep: () => breathe(io.signal),
      });
      x.dispose();
      bits.push(...found.bits);
      prior = found.prior;
      io.note(`  seed ${seed}: ${indices.at(-1)! + 1} of ${images} images`);
    }
  const dims = test.height * test.width * test.channels;
  const { mean, std } = spreadOf(bits);
  const error = (std ?? 0) / Math.sqrt(bits.length);
  const of = `${images} ${which} of ${test.name}`;
  io.print(`${job.metadata.name}, ${weights} weights of step ${step}: ${of}, seeds ${seeds.join(", ")}`);
  const line = (name: string, total: number) =>
    `${name} ${total.toFixed(3)} ± ${error.toFixed(3)} bits an image, ${(total / dims).toFixed(4)} a dimension`;
  io.print(line("log likelihood, at least:", -mean));
  io.print(line(`beyond the prior's ${(-prior).toFixed(3)}:`, prior - mean));
  io.result({
    checkpoint,
    step,
    weights,
    images,
    heldOut,
    seeds,
    process: spec.diffusion.process,
    timesteps: spec.diffusion.timesteps,
    bits: { mean, standardError: error, perDimension: mean / dims },
    prior: { bits: prior, excessPerImage: mean - prior, excessPerDimension: (mean - prior) / dims },
  });
}

function checkProcess(checkpoint: string, { spec }: Job): void {
  const { process } = spec.diffusion;
  if (chainKind(process)) return;
  const { type } = spec.model;
  throw new PlumeError(
    "FAILED_PRECONDITION",
    `${checkpoint} is a ${generates(type) ? type : `model of the process ${process}`}, of which --bound knows no likelihood`,
    {
      remedy: `it is for ${CHAIN_NAMES.join(" and ")}, as a run of deploy/jobs/heartbeat.yaml; plume likelihood measures others`,
    },
  );
}
