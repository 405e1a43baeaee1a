// What a network that knows a density, or a bound on one, says of images: a micro-batch of its training, and measured.

import * as tf from "@tensorflow/tfjs-core";
import type { JobSpec } from "../config/schema.ts";
import type { PatchShape } from "../data/patch.ts";
import { invariant } from "../invariant.ts";
import type { Density, Network } from "../nn/network.ts";
import { type Computation, type MakeProgram, programsBySize } from "../nn/program.ts";
import { objectiveKind } from "../objectives/index.ts";
import type { EvidenceObjective } from "../objectives/objective.ts";
import { halfCosine } from "../optim/lr-schedule.ts";
import { normals, PURPOSE, type StreamKey, uniforms } from "../rng/stream.ts";
import type { Layout } from "../tensor/layout.ts";
import { type DeviceParams, inference, named } from "./device-params.ts";
import { droppedLabels, mirrored, normalise } from "./images.ts";
import type { ComputeMicroBatch, MicroBatch } from "./micro-batch.ts";
import { readGradient } from "./read-gradient.ts";
import { shuffleShape } from "./shape.ts";
import { trainingForward } from "./training-forward.ts";

/** Images and what is drawn for them, on the host. */
interface Shown {
  /** float32 [n, h, w, c], as the network sees them. */
  readonly x: Float32Array;
  /** A class an image. */
  readonly y: Int32Array;
  /** float32 [n, size]. */
  readonly noise: Float32Array;
}

const noiseOf = ({ noise: { of } }: Density, key: StreamKey, n: number): Float32Array =>
  of === "normals" ? normals(key, n) : Float32Array.from(uniforms(key, n));

/** Brings n of them into a computation. */
function feeding({ data, model }: JobSpec, { noise: { size } }: Density, image: PatchShape) {
  const { height, width, channels } = shuffleShape(image, data.patch);
  return (feed: Parameters<Computation>[0], n: number, shown: () => Shown) => ({
    x: feed([n, height, width, channels], "float32", () => shown().x) as tf.Tensor4D,
    noise: feed([n, size], "float32", () => shown().noise) as tf.Tensor2D,
    // Fed to each evaluation anew: tfjs-node looks at a gather's indices, which it can only before their first use.
    labels: () => (model.classes > 0 ? (feed([n], "int32", () => shown().y.slice()) as tf.Tensor1D) : null),
  });
}

export function createEvidenceMicroBatch(
  spec: JobSpec,
  density: Density,
  layout: Layout,
  image: PatchShape,
  { program }: { readonly program: MakeProgram },
): ComputeMicroBatch {
  const { seed, data, model, diffusion, autoencoder } = spec;
  const kind = objectiveKind(diffusion.objective);
  invariant(kind.asks === "evidence", `${diffusion.objective} is of what a density says`);
  const loading = kind.load();
  const fed = feeding(spec, density, image);
  const bits = image.height * image.width * image.channels * Math.LN2;

  const draw = ({ step, index, pixels, labels }: MicroBatch) => {
    const n = labels.length;
    const flips = data.flip ? uniforms({ seed, purpose: PURPOSE.flip, step, index }, n) : null;
    const x = normalise(mirrored(pixels, image, flips), image, data.patch);
    const y = model.classes > 0 ? droppedLabels(labels, model.classes, new Float64Array(n), 0) : labels;
    const noise = noiseOf(density, { seed, purpose: PURPOSE.evidence, step, index }, n * density.noise.size);
    return { step, index, x, y, noise, ...annealed(autoencoder, step) };
  };

  let current: ReturnType<typeof draw>;
  const computation =
    (objective: EvidenceObjective, n: number): Computation =>
    (feed, params) => {
      const { x, noise, labels } = fed(feed, n, () => current);
      const mean = (...tensors: tf.Tensor[]) => {
        const f = trainingForward(named(layout.tensors, tensors), feed, seed, () => current);
        const scalar = (of: "beta" | "temperature") => () => feed([1], "float32", () => Float32Array.of(current[of]));
        const nats = objective(density.evidence(f, x, labels(), noise, scalar("temperature")), scalar("beta"));
        return tf.div(tf.mean(nats), bits) as tf.Scalar;
      };
      const { value, grads } = tf.valueAndGrads(mean)([...params]);
      return [value, ...grads];
    };

  const programOf = programsBySize(program);
  return async (params, batch, gradient) => {
    const objective = await loading;
    current = draw(batch);
    const n = batch.labels.length;
    const outputs = programOf(n, () => computation(objective, n)).run(params.tensors);
    const [loss] = await readGradient(outputs, layout.tensors, gradient);
    return loss!;
  };
}

/** What changes with the step: as Ramesh et al. 2021 have it, App. A.2. */
const annealed = ({ beta, betaSteps, temperature: { from, to, steps } }: JobSpec["autoencoder"], step: number) => ({
  beta: betaSteps > 0 ? halfCosine(0, beta, Math.min(1, step / betaSteps)) : beta,
  temperature: halfCosine(from, to, Math.min(1, step / steps)),
});

export interface EvidenceOptions {
  readonly spec: JobSpec;
  readonly network: Network;
  readonly params: DeviceParams;
  readonly image: PatchShape;
  readonly program: MakeProgram;
}

/** Of images, and which they are: the noise of each is its own. */
interface Given extends Pick<Shown, "x" | "y"> {
  readonly ids: readonly number[];
}

/** @param draw which of the draws of its noise. @returns nats, float32 [n]: of minus the bound, and log weights. */
export type Weigh = (
  given: Given,
  draw: number,
) => Promise<{ readonly cost: Float32Array; readonly logWeight: Float32Array }>;

/** @param seed of the noise. */
export function createWeigh(
  { spec, network, params, image, program }: EvidenceOptions,
  density: Density,
  seed: number,
): Weigh {
  const fed = feeding(spec, density, image);
  let current: Shown;
  const computation =
    (n: number): Computation =>
    (feed, tensors) => {
      const { x, noise, labels } = fed(feed, n, () => current);
      const f = inference(named(network.params, tensors));
      const { distortion, rate, logWeight } = density.evidence(f, x, labels(), noise);
      return [rate ? tf.add(distortion, rate) : distortion, logWeight];
    };
  const programOf = programsBySize(program);
  return async ({ x, y, ids }, draw) => {
    const { size } = density.noise;
    const noise = new Float32Array(ids.length * size);
    ids.forEach((index, i) => {
      noise.set(noiseOf(density, { seed, purpose: PURPOSE.evidenceOfImage, step: draw, index }, size), i * size);
    });
    current = { x, y, noise };
    const n = ids.length;
    const outputs = programOf(n, () => computation(n)).run(params.tensors);
    const [cost, logWeight] = await Promise.all(outputs.map((output) => output.data<"float32">()));
    tf.dispose([...outputs]);
    return { cost: cost!, logWeight: logWeight! };
  };
}
