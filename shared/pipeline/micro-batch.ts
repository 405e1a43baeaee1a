// One micro-batch: images to a mean loss and a flat gradient. A pure function of (spec, step, index, parameters,
// images): every random number comes from a stream keyed by (seed, purpose, step, index).

import * as tf from "@tensorflow/tfjs-core";
import type { JobSpec } from "../config/schema.ts";
import type { PatchShape } from "../data/patch.ts";
import type { NetworkOutput } from "../diffusion/consistency.ts";
import type { LookUp } from "../diffusion/prediction.ts";
import { PlumeError } from "../errors.ts";
import { givesImages } from "../models/index.ts";
import type { Forward, LowResInput, Network } from "../nn/network.ts";
import type { Computation, Feed, MakeProgram, Program } from "../nn/program.ts";
import { integers, normals, PURPOSE, type Purpose, uniforms } from "../rng/stream.ts";
import type { Layout } from "../tensor/layout.ts";
import { feedText, trainingText } from "./captions.ts";
import { type DeviceParams, inference, named } from "./device-params.ts";
import type { FrozenNetwork, FrozenNetworks } from "./frozen.ts";
import { type Loss, openLoss, type Times } from "./loss.ts";
import { feedLowRes, type LowRes, trainingLowRes } from "./low-res.ts";
import { scaled, seen } from "./pixels.ts";
import { shuffleShape } from "./shape.ts";

export interface MicroBatch {
  readonly step: number;
  readonly index: number;
  /** uint8 [n, H, W, C]. */
  readonly pixels: Uint8Array;
  /** int32 [n], -1 without a label. */
  readonly labels: Int32Array;
  /** One a sample, of a source that has them. */
  readonly captions?: readonly string[];
}

/**
 * @param gradient out: float32 [layout.size], every element written, padding 0.
 * @returns the mean loss over the micro-batch.
 */
export type ComputeMicroBatch = (params: DeviceParams, batch: MicroBatch, gradient: Float32Array) => Promise<number>;

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
  readonly text: Int32Array | null;
  /** Of an upsampler. */
  readonly lowRes: LowRes | null;
}

/** @param frozen the job's other models, on the device. */
export function createMicroBatch(
  spec: JobSpec,
  network: Network,
  layout: Layout,
  image: PatchShape,
  { program }: { readonly program: MakeProgram },
  frozen: FrozenNetworks = {},
): ComputeMicroBatch {
  const { seed, data, diffusion, model } = spec;
  const loading = openLoss(spec);
  const { height, width, channels } = shuffleShape(image, data.patch);
  /** What tells classes apart is not told them. */
  const conditional = model.classes > 0 && givesImages(model.type);
  const others = Object.entries<FrozenNetwork>(frozen);

  const draw = (loss: Loss, { step, index, pixels, labels, captions }: MicroBatch): Drawn => {
    const n = labels.length;
    const key = (purpose: Purpose) => ({ seed, purpose, step, index });
    const flips = data.flip ? uniforms(key(PURPOSE.flip), n) : null;
    const shown = flips ? mirrored(pixels, image, flips) : pixels;
    const x0 = normalise(shown, image, data.patch);
    const time = key(PURPOSE.time);
    const draws = {
      uniforms: (count: number) => uniforms(time, count),
      normals: (count: number) => normals(time, count),
      integers: (count: number, bound: number) => integers(time, count, bound),
    };
    const times = loss.draw(draws, n, step);
    const drops = model.classes > 0 ? uniforms(key(PURPOSE.labelDrop), n) : null;
    const y = drops ? droppedLabels(labels, model.classes, drops, diffusion.labelDrop) : labels;
    const lowRes = trainingLowRes(spec, image, shown, { step, index });
    const text = trainingText(spec, captions, { step, index });
    return { step, index, x0, ...times, labels, y, text, lowRes };
  };

  /** The loss and its gradients for n samples, as one computation; what it is given is what `drawn` returns. */
  const computation =
    (loss: Loss, n: number, drawn: () => Drawn): Computation =>
    (feed, params) => {
      const shape = [n, height, width, channels];
      const own = params.slice(0, layout.tensors.length);
      const x0 = feed(shape, "float32", () => drawn().x0);
      const t: LookUp = (value) => feed([n, 1, 1, 1], "float32", () => Float32Array.from(drawn().t, value));
      // Fed to each evaluation anew: tfjs-node looks at a gather's indices, which it can only before their first use.
      const classes = (of: "labels" | "y") => () => feed([n], "int32", () => drawn()[of].slice()) as tf.Tensor1D;
      const told: Told = {
        labels: conditional ? classes("y") : null,
        text: model.text ? () => feedText(feed, n, () => drawn().text!) : null,
        lowRes: model.lowRes ? feedLowRes(feed, shape, model.lowRes, () => drawn().lowRes!) : null,
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
      const fixed = frozenOutputs(others, params.slice(layout.tensors.length), told);
      const asked = { x0, random, sigmas, t, labels: classes("labels"), target: learning(own), frozen: fixed };
      const lossOf = loss.prepare(asked);
      const mean = (...tensors: tf.Tensor[]) => tf.mean(lossOf(learning(tensors))) as tf.Scalar;
      const { value, grads } = tf.valueAndGrads(mean)([...own]);
      return [value, ...grads];
    };

  let current: Drawn;
  const programs = new Map<number, Program>();
  return async (params, batch, gradient) => {
    const n = batch.labels.length;
    const loss = await loading;
    if (!programs.has(n)) programs.set(n, program(computation(loss, n, () => current)));
    current = draw(loss, batch);
    const outputs = programs.get(n)!.run([...params.tensors, ...others.flatMap(([, model]) => model.params.tensors)]);
    try {
      const [loss, ...grads] = await Promise.all(outputs.map((output) => output.data<"float32">()));
      gradient.fill(0);
      layout.tensors.forEach(({ offset }, i) => gradient.set(grads[i]!, offset));
      return loss![0]!;
    } finally {
      tf.dispose([...outputs]);
    }
  };
}

type Param = Forward["param"];

/** What a network is told of a micro-batch. */
interface Told {
  /** int32 [n]; null for networks without labels. */
  readonly labels: (() => tf.Tensor1D) | null;
  /** int32 [n * words]; null for networks that read no captions. */
  readonly text: (() => tf.Tensor1D) | null;
  readonly lowRes: LowResInput | null;
}

/** A network under what it is told. @param forward a fresh one for each evaluation. */
const outputOf =
  (network: Network, param: Param, { labels, text, lowRes }: Told, forward: (param: Param) => Forward): NetworkOutput =>
  (x, label) => {
    // What a recorded computation is told of its levels is one a sample: [n, 1, 1, 1].
    const t = tf.reshape(label as tf.Tensor, [x.shape[0]!]) as tf.Tensor1D;
    return network.forward(forward(param), {
      x: x as tf.Tensor4D,
      t,
      y: labels?.() ?? null,
      text: text?.() ?? null,
      lowRes,
    });
  };

/** The job's other models, without dropout. @param tensors of all of them, in their order. */
function frozenOutputs(
  models: readonly (readonly [string, FrozenNetwork])[],
  tensors: readonly tf.Tensor[],
  told: Told,
) {
  let from = 0;
  const outputs = models.map(([name, { spec, network }]) => {
    const own = named(network.params, tensors.slice(from, from + network.params.length));
    from += network.params.length;
    const labels = spec.model.classes > 0 ? told.labels : null;
    const output = outputOf(network, own, { ...told, labels }, inference);
    return [name, { diffusion: spec.diffusion, output }] as const;
  });
  return Object.fromEntries(outputs);
}

/** uint8 [n, H, W, C] to [-1, 1], unshuffled: float32 [n, h, w, c]. */
export const normalise = (pixels: Uint8Array, image: PatchShape, patch: number): Float32Array =>
  seen(scaled(pixels), image, patch);

/** uint8 [n, H, W, C], mirrored where flips[i] < 1/2. */
function mirrored(pixels: Uint8Array, { height, width, channels }: PatchShape, flips: Float64Array): Uint8Array {
  const images = pixels.slice();
  const size = height * width * channels;
  flips.forEach((u, i) => {
    if (u < 0.5) mirror(images.subarray(i * size, (i + 1) * size), width, channels);
  });
  return images;
}

function mirror(image: Uint8Array, width: number, channels: number): void {
  const row = width * channels;
  for (let start = 0; start < image.length; start += row) {
    const copy = image.slice(start, start + row);
    for (let x = 0; x < width; x++)
      image.set(copy.subarray((width - 1 - x) * channels, (width - x) * channels), start + x * channels);
  }
}

/** Classifier-free guidance (Ho and Salimans 2022): a share of the labels becomes "none", the row behind the classes. */
function droppedLabels(labels: Int32Array, classes: number, u: Float64Array, share: number): Int32Array {
  return labels.map((label, i) => {
    if (label < 0 || label >= classes)
      throw new PlumeError("INVALID_ARGUMENT", `label ${label} is outside the model's ${classes} classes`, {
        remedy: "set model.classes to the number of the data set's classes",
      });
    return u[i]! < share ? classes : label;
  });
}

/** Dropout masks come from the counter-based generator, one stretch of the stream a call, in call order. */
function trainingForward(param: Param, feed: Feed, seed: number, drawn: () => Drawn): Forward {
  let used = 0;
  return {
    param,
    dropout(x, rate) {
      const from = used;
      used += x.size;
      const mask = () => {
        const { step, index } = drawn();
        const u = uniforms({ seed, purpose: PURPOSE.dropout, step, index }, x.size, from);
        return Float32Array.from(u, (value) => (value < rate ? 0 : 1 / (1 - rate)));
      };
      return tf.mul(x, feed(x.shape, "float32", mask)) as typeof x;
    },
  };
}
