// plume eval: how good a checkpoint's images are, beside anchors that make the numbers readable.

import { Command } from "commander";
import { dataSchema } from "../../../shared/config/schema.ts";
import { openImageSet } from "../../../shared/data/open.ts";
import { PlumeError } from "../../../shared/errors.ts";
import { frechetDistance } from "../../../shared/eval/frechet.ts";
import { JUDGE_SHA256, openJudge } from "../../../shared/eval/judge.ts";
import { loadModel } from "../../../shared/interop/load-model.ts";
import { createGenerator, gridLabels } from "../../../shared/pipeline/generate.ts";
import { bits, PURPOSE } from "../../../shared/rng/stream.ts";
import { action, type CommandIo } from "../action.ts";
import { BACKEND_OPTION, openBackendFor } from "../backend.ts";
import { decimal, wholeNumber } from "../options.ts";
import { table } from "../table.ts";

interface EvalOptions {
  readonly count: string;
  readonly seed: string;
  readonly guidance?: string;
  readonly steps?: string;
  readonly weights?: string;
  readonly backend?: string;
}

const BATCH = 8;

export function evalCommand(): Command {
  return new Command("eval")
    .description("measure a checkpoint's images: class accuracy and Fréchet distance by a frozen judge, with anchors")
    .argument("<checkpoint>", "a run's folder, its checkpoints folder, one step-... folder, or an exported folder")
    .option("--count <n>", "images to generate", "500")
    .option("--seed <s>", "seed of the noise", "0")
    .option("--guidance <g>", "classifier-free guidance scale (default: the job's)")
    .option("--steps <n>", "network evaluations an image (default: the job's)")
    .option("--weights <which>", "ema | raw (default: ema, or what an exported folder has)")
    .option(...BACKEND_OPTION)
    .addHelpText(
      "after",
      `
Example:
  plume eval runs/fashion --count 500

The judge is a small classifier of Fashion-MNIST, trained on the training images alone and frozen; its numbers compare
with each other only, never with FID. Read both figures: class means score well on accuracy, noise on neither.`,
    )
    .action(action(evaluate));
}

async function evaluate(io: CommandIo, options: EvalOptions, checkpoint: string): Promise<undefined> {
  const count = wholeNumber("--count", options.count, 100);
  const seed = wholeNumber("--seed", options.seed);
  const { job, step, weights, imageSet, network, params, backend } = await loadModel(
    checkpoint,
    options.weights,
    (trained) => openBackendFor(options.backend, trained),
  );
  const { program } = backend;
  if (imageSet.name !== "fashion-mnist" || imageSet.height !== 28 || job.spec.model.classes !== 10)
    throw new PlumeError(
      "FAILED_PRECONDITION",
      `${checkpoint} was trained on ${imageSet.name} at ${imageSet.height}x${imageSet.width} with ${job.spec.model.classes} classes; the judge knows Fashion-MNIST's ten at 28x28`,
      {
        remedy: "evaluate a run of deploy/jobs/fashion.yaml",
      },
    );
  const test = await openImageSet(dataSchema.parse({ source: "fashion-mnist" }), { split: "test", signal: io.signal });
  if (test.fallback)
    throw new PlumeError("UNAVAILABLE", "the test images of Fashion-MNIST are not here", {
      remedy: "npm run setup:data",
    });
  const { sampling } = job.spec;
  const guidance = options.guidance === undefined ? sampling.guidance : decimal("--guidance", options.guidance, 0);
  const steps = options.steps === undefined ? sampling.steps : wholeNumber("--steps", options.steps, 1);

  const image = { height: 28, width: 28, channels: 1 };
  const generate = createGenerator({ spec: job.spec, network, params, image, program });
  const pixels = new Uint8Array(count * 784);
  const labels: number[] = [];
  for (let from = 0; from < count; from += BATCH) {
    const indices = Array.from({ length: Math.min(BATCH, count - from) }, (_, k) => from + k);
    const asked = gridLabels(indices, 10)!;
    labels.push(...asked);
    const { sampler, eta } = sampling;
    const onStep = async () => {
      await new Promise((resolve) => setImmediate(resolve));
      io.signal.throwIfAborted();
    };
    pixels.set(
      await generate({
        indices,
        labels: asked,
        seed,
        sampler,
        steps,
        eta,
        guidance,
        onStep,
      }),
      from * 784,
    );
    if ((from / BATCH) % 10 === 9) io.note(`  ${from + BATCH} of ${count} images`);
  }

  // Real test images in two halves: one is the reference, the other shows what real images score.
  const real = await test.read(
    Array.from({ length: test.size }, (_, k) => k),
    io.signal,
  );
  const half = test.size / 2;
  const part = (from: number, to: number) =>
    [real.pixels.subarray(from * 784, to * 784), real.labels.subarray(from, to)] as const;
  const judge = openJudge();
  const reference = judge.judge(...part(0, half));
  const score = (of: Uint8Array, withLabels: ArrayLike<number>) => {
    const { accuracy, features } = judge.judge(of, withLabels);
    return { accuracy, frechet: frechetDistance(features, reference.features) };
  };
  const generated = score(pixels, labels);
  const noise = Uint8Array.from(
    bits({ seed, purpose: PURPOSE.canary, step: 1, index: 0 }, count * 784),
    (word) => word & 255,
  );
  const shifted = labels.map((label) => (label + 1) % 10);
  const anchors = {
    real: score(...part(half, half + count)),
    shuffled: score(pixels, shifted),
    noise: score(noise, labels),
  };
  judge.dispose();

  const row = (name: string, { accuracy, frechet }: { accuracy: number; frechet: number }) => [
    name,
    accuracy.toFixed(3),
    frechet.toFixed(1),
  ];
  io.print(
    `${job.metadata.name}, step ${step}, ${weights} weights: ${count} images, seed ${seed}, ${sampling.sampler} ${steps} steps, guidance ${guidance}`,
  );
  io.print(
    table([
      ["images", "class accuracy", "Fréchet distance (plume's fashion judge, 64-d)"],
      row("generated", generated),
      row("real test images", anchors.real),
      row("generated, labels shifted", anchors.shuffled),
      row("noise", anchors.noise),
    ]),
  );
  io.result({
    ...generated,
    samples: count,
    seed,
    steps,
    guidance,
    weights,
    step,
    judge: JUDGE_SHA256,
    anchors,
  });
  return undefined;
}
