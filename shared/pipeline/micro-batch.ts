// One micro-batch: images to a mean loss and a flat gradient. A pure function of (spec, step, index, parameters,
// images): every random number comes from a stream keyed by (seed, purpose, step, index).

import * as tf from "@tensorflow/tfjs-core";
import {
  AUGMENT_LABELS,
  type Augmentation,
  augment,
  augmentLabels,
  drawAugmentation,
} from "../augmentation/augment.ts";
import type { JobSpec } from "../config/schema.ts";
import type { PatchShape } from "../data/patch.ts";
import type { NetworkOutput } from "../diffusion/consistency.ts";
import type { LookUp } from "../diffusion/prediction.ts";
import { givesImages } from "../models/index.ts";
import type { Forward, LowResInput, Network } from "../nn/network.ts";
import { type Computation, type MakeProgram, programsBySize } from "../nn/program.ts";
import { drawsOf, normals, PURPOSE, type Purpose, type StreamKey, uniforms } from "../rng/stream.ts";
import type { Layout } from "../tensor/layout.ts";
import { type CaptionNumbers, feedText, type ReadCaptions, readScenes, trainingText } from "./captions.ts";
import { type DeviceParams, inference, named } from "./device-params.ts";
import { createEmbedding, type Embedded } from "./embedding.ts";
import { createEvidenceMicroBatch } from "./evidence.ts";
import type { FrozenNetwork, FrozenNetworks } from "./frozen.ts";
import { droppedLabels, mirrored, normalise } from "./images.ts";
import { isWeighted } from "./importance.ts";
import { type Loss, openLoss, type Times } from "./loss.ts";
import { feedLowRes, type LowRes, trainingLowRes } from "./low-res.ts";
import { createPlayersMicroBatch } from "./players.ts";
import { readGradient } from "./read-gradient.ts";
import { denoisedShape } from "./shape.ts";
import { createTokensMicroBatch } from "./tokens.ts";
import { createTowersMicroBatch } from "./towers.ts";
import { trainingForward } from "./training-forward.ts";

export interface MicroBatch {
  readonly step: number;
  readonly index: number;
  /** uint8 [n, H, W, C]. */
  readonly pixels: Uint8Array;
  /** int32 [n], -1 without a label. */
  readonly labels: Int32Array;
  /** One a sample, of a source that has them. */
  readonly captions?: readonly string[];
  /** Weights of the time steps that its own are drawn by, float64 [T]; uniform when absent. */
  readonly weights?: Float64Array | undefined;
}

/**
 * @param gradient out: float32 [layout.size], every element written, padding 0.
 * @param losses out, of a job whose time steps are drawn by their losses: that of each sample, float32 [n], as it is not weighted.
 * @returns the mean loss over the micro-batch, as the gradient has it.
 */
export type ComputeMicroBatch = (
  params: DeviceParams,
  batch: MicroBatch,
  gradient: Float32Array,
  losses?: Float32Array,
) => Promise<number>;

/** What a micro-batch draws and reads, on the host. */
interface Drawn extends Times {
  readonly step: number;
  readonly index: number;
  /** float32 [n, h, w, c], as the network sees it. */
  readonly x0: Float32Array;
  /** A class a sample. */
  readonly labels: Int32Array;
  /** The same as a condition: the row behind the classes for none. */
  readonly y: Int32Array;
  /** Words of the captions. */
  readonly text: CaptionNumbers | null;
  /** Of a job that is told embeddings, or draws them. */
  readonly embedded: Embedded | null;
  /** Of an upsampler. */
  readonly lowRes: LowRes | null;
  /** float32 [n, AUGMENT_LABELS]: how x0 was augmented; null where it never is. */
  readonly augmented: Float32Array | null;
}

/** @param frozen the job's other models, on the device. @param readCaptions as the network reads them. */
export function createMicroBatch(
  spec: JobSpec,
  network: Network,
  layout: Layout,
  image: PatchShape,
  backend: { readonly program: MakeProgram },
  frozen: FrozenNetworks = {},
  readCaptions: ReadCaptions = readScenes,
): ComputeMicroBatch {
  if (network.game) return createPlayersMicroBatch(spec, network.game, layout, image, backend);
  if (network.density) return createEvidenceMicroBatch(spec, network.density, layout, image, backend);
  if (network.towers) return createTowersMicroBatch(spec, network.towers, layout, image, backend);
  if (network.tokens) return createTokensMicroBatch(spec, network.tokens, layout, image, backend, frozen);
  const { program } = backend;
  const { seed, data, diffusion, model } = spec;
  const loading = openLoss(spec);
  const { height, width, channels } = denoisedShape(spec, image);
  const embeds = createEmbedding(spec, image, frozen.clip);
  /** What tells classes apart is not told them. */
  const conditional = model.classes > 0 && givesImages(model.type);
  const others = Object.entries<FrozenNetwork>(frozen);

  const weighted = isWeighted(spec);

  const draw = async (loss: Loss, batch: MicroBatch): Promise<Drawn> => {
    const { step, index, pixels, labels, captions, weights } = batch;
    const n = labels.length;
    const key = (purpose: Purpose) => ({ seed, purpose, step, index });
    const flips = data.flip ? uniforms(key(PURPOSE.flip), n) : null;
    const changes = data.augment > 0 ? augmentations(key(PURPOSE.augment), n, data.augment) : null;
    const shown = mirrored(pixels, image, flips);
    const x0 = normalise(shown, image, data.patch, (one, i) => changes && augment(one, image, changes[i]!));
    const times = loss.draw(drawsOf(key(PURPOSE.time)), n, step, weights);
    const drops = model.classes > 0 ? uniforms(key(PURPOSE.labelDrop), n) : null;
    const y = drops ? droppedLabels(labels, model.classes, drops, diffusion.labelDrop) : labels;
    const lowRes = trainingLowRes(spec, image, shown, { step, index });
    const augmented = changes && Float32Array.from(changes.flatMap(augmentLabels));
    const text = await trainingText(spec, captions, { step, index }, readCaptions);
    const embedded = embeds?.draw(shown, { step, index }) ?? null;
    return { step, index, x0, ...times, labels, y, text, embedded, lowRes, augmented };
  };

  /** The loss and its gradients for n samples, as one computation; what it is given is what `drawn` returns. */
  const computation =
    (loss: Loss, n: number, drawn: () => Drawn): Computation =>
    (feed, params) => {
      const shape = [n, height, width, channels];
      const own = params.slice(0, layout.tensors.length);
      const fixed = frozenParams(others, params.slice(layout.tensors.length));
      const text = () => feedText(feed, spec, n, () => drawn().text!);
      const embedded = embeds?.inside(feed, n, fixed.clip!, () => drawn().embedded!, text);
      const x0 = embedded?.x0 ?? feed(shape, "float32", () => drawn().x0);
      const t: LookUp = (value) => feed([n, 1, 1, 1], "float32", () => Float32Array.from(drawn().t, value));
      // Fed to each evaluation anew: tfjs-node looks at a gather's indices, which it can only before their first use.
      const classes = (of: "labels" | "y") => () => feed([n], "int32", () => drawn()[of].slice()) as tf.Tensor1D;
      const augmented = () => feed([n, AUGMENT_LABELS], "float32", () => drawn().augmented!) as tf.Tensor2D;
      const told: Told = {
        labels: conditional ? classes("y") : null,
        text: model.text ? text : null,
        embedding: embedded?.embedding ?? null,
        lowRes: model.lowRes ? feedLowRes(feed, shape, model.lowRes, () => drawn().lowRes!) : null,
        augment: data.augment > 0 ? augmented() : null,
      };
      // Each evaluation has the same dropout: a network and its target differ in their parameters alone.
      const learning = (tensors: readonly tf.Tensor[]) =>
        outputOf(network, named(layout.tensors, tensors), told, (param) => trainingForward(param, feed, seed, drawn));
      const key = (purpose: Purpose) => ({ seed, purpose, step: drawn().step, index: drawn().index });
      const random = (purpose: Purpose) => ({
        normals: () => feed(shape, "float32", () => normals(key(purpose), x0.size)),
        uniforms: () => feed(shape, "float32", () => Float32Array.from(uniforms(key(purpose), x0.size))),
      });
      const sigmas = (k: number): number => drawn().levels![k]!;
      const fixedOutputs = frozenOutputs(others, fixed, told);
      const asked = { x0, random, sigmas, t, labels: classes("labels"), target: learning(own), frozen: fixedOutputs };
      const lossOf = loss.prepare(asked);
      const losses = (...tensors: tf.Tensor[]) => lossOf(learning(tensors));
      const mean = (...tensors: tf.Tensor[]) => tf.mean(losses(...tensors)) as tf.Tensor;
      // Losses come out one by one, and each counts in the gradient of their mean what it shall.
      const share =
        weighted && feed([n], "float32", () => Float32Array.from(countsOf(drawn(), n), (count) => count / n));
      const { value, grads } = share ? tf.valueAndGrads(losses)([...own], share) : tf.valueAndGrads(mean)([...own]);
      return [value, ...grads];
    };

  let current: Drawn;
  const programOf = programsBySize(program);
  return async (params, batch, gradient, losses) => {
    const n = batch.labels.length;
    const loss = await loading;
    current = await draw(loss, batch);
    const own = programOf(n, () => computation(loss, n, () => current));
    const outputs = own.run([...params.tensors, ...others.flatMap(([, model]) => model.params.tensors)]);
    const value = await readGradient(outputs, layout.tensors, gradient);
    if (!weighted) return value[0]!;
    losses?.set(value);
    return countsOf(current, n).reduce((sum, count, i) => sum + count * value[i]!, 0) / n;
  };
}

const countsOf = ({ counts }: Times, n: number): Float64Array => counts ?? new Float64Array(n).fill(1);

type Param = Forward["param"];

/** What a network is told of a micro-batch. */
interface Told {
  /** int32 [n]; null for networks without labels. */
  readonly labels: (() => tf.Tensor1D) | null;
  /** As NetworkInput has it; null for networks that read no captions. */
  readonly text: (() => tf.Tensor1D) | null;
  /** float32 [n, D]; null for networks that are told none. */
  readonly embedding: tf.Tensor2D | null;
  readonly lowRes: LowResInput | null;
  /** float32 [n, AUGMENT_LABELS]; null where nothing is augmented. */
  readonly augment: tf.Tensor2D | null;
}

/** A network under what it is told. @param forward a fresh one for each evaluation. */
const outputOf =
  (
    network: Network,
    param: Param,
    { labels, text, ...told }: Told,
    forward: (param: Param) => Forward,
  ): NetworkOutput =>
  (x, label) => {
    // What a recorded computation is told of its levels is one a sample: [n, 1, 1, 1].
    const t = tf.reshape(label as tf.Tensor, [x.shape[0]!]) as tf.Tensor1D;
    const condition = { y: labels?.() ?? null, text: text?.() ?? null, ...told };
    return network.forward(forward(param), { x: x as tf.Tensor4D, t, ...condition });
  };

type Others = readonly (readonly [string, FrozenNetwork])[];
type ParamsOf = Readonly<Record<string, Param>>;

/** The parameters of the job's other models, by their names. @param tensors of all of them, in their order. */
function frozenParams(models: Others, tensors: readonly tf.Tensor[]): ParamsOf {
  let from = 0;
  const params = models.map(([name, { network }]) => {
    const own = named(network.params, tensors.slice(from, from + network.params.length));
    from += network.params.length;
    return [name, own] as const;
  });
  return Object.fromEntries(params);
}

/** The job's other models, without dropout. */
function frozenOutputs(models: Others, params: ParamsOf, told: Told) {
  const outputs = models.map(([name, { spec, network }]) => {
    const labels = spec.model.classes > 0 ? told.labels : null;
    const output = outputOf(network, params[name]!, { ...told, labels }, inference);
    return [name, { diffusion: spec.diffusion, output }] as const;
  });
  return Object.fromEntries(outputs);
}

const augmentations = (key: StreamKey, n: number, p: number): Augmentation[] =>
  Array.from({ length: n }, (_, i) => drawAugmentation(key, i, p));
