// One micro-batch: images to a mean loss and a flat gradient. A pure function of (spec, step, index, parameters,
// images): every random number comes from a stream keyed by (seed, purpose, step, index).

import * as tf from "@tensorflow/tfjs-core";
import type { JobSpec } from "../config/schema.ts";
import type { PatchShape } from "../data/patch.ts";
import type { LookUp } from "../diffusion/prediction.ts";
import { timesOf } from "../diffusion/processes/index.ts";
import { PlumeError } from "../errors.ts";
import type { Forward, Network } from "../nn/network.ts";
import type { Computation, Feed, MakeProgram, Program } from "../nn/program.ts";
import { integers, normals, PURPOSE, type Purpose, uniforms } from "../rng/stream.ts";
import type { Layout } from "../tensor/layout.ts";
import type { DeviceParams } from "./device-params.ts";
import { scaled, seen } from "./pixels.ts";
import { loadQuestion, type Question } from "./question.ts";
import { shuffleShape } from "./shape.ts";

export interface MicroBatch {
  readonly step: number;
  readonly index: number;
  /** uint8 [n, H, W, C]. */
  readonly pixels: Uint8Array;
  /** int32 [n], -1 without a label. */
  readonly labels: Int32Array;
}

/**
 * @param gradient out: float32 [layout.size], every element written, padding 0.
 * @returns the mean loss over the micro-batch.
 */
export type ComputeMicroBatch = (params: DeviceParams, batch: MicroBatch, gradient: Float32Array) => Promise<number>;

/** What a micro-batch draws and reads, on the host. */
interface Drawn {
  readonly step: number;
  readonly index: number;
  /** float32 [n, h, w, c], as the network sees it. */
  readonly x0: Float32Array;
  /** Times of the process. */
  readonly t: ArrayLike<number>;
  /** A class a sample, the row behind the classes for none. */
  readonly y: Int32Array;
}

export function createMicroBatch(
  spec: JobSpec,
  network: Network,
  layout: Layout,
  image: PatchShape,
  { program }: { readonly program: MakeProgram },
): ComputeMicroBatch {
  const { seed, data, diffusion, model } = spec;
  const times = timesOf(diffusion);
  const loading = loadQuestion(spec);
  const { height, width, channels } = shuffleShape(image, data.patch);
  const names = layout.tensors.map(({ name }) => name);

  const draw = ({ step, index, pixels, labels }: MicroBatch): Drawn => {
    const n = labels.length;
    const key = (purpose: Purpose) => ({ seed, purpose, step, index });
    const flips = data.flip ? uniforms(key(PURPOSE.flip), n) : null;
    const x0 = normalise(pixels, image, data.patch, flips);
    const time = key(PURPOSE.time);
    const t = times.draw(
      {
        uniforms: (count) => uniforms(time, count),
        normals: (count) => normals(time, count),
        integers: (count, bound) => integers(time, count, bound),
      },
      n,
    );
    const drops = model.classes > 0 ? uniforms(key(PURPOSE.labelDrop), n) : null;
    const y = drops ? droppedLabels(labels, model.classes, drops, diffusion.labelDrop) : labels;
    return { step, index, x0, t, y };
  };

  /** The loss and its gradients for n samples, as one computation; what it is given is what `drawn` returns. */
  const computation =
    (question: Question, n: number, drawn: () => Drawn): Computation =>
    (feed, params) => {
      const shape = [n, height, width, channels];
      const x0 = feed(shape, "float32", () => drawn().x0);
      const t: LookUp = (value) => feed([n, 1, 1, 1], "float32", () => Float32Array.from(drawn().t, value));
      const time = feed([n], "float32", () => Float32Array.from(drawn().t, times.label));
      const y = model.classes > 0 ? feed([n], "int32", () => drawn().y) : null;
      const key = (purpose: Purpose) => ({ seed, purpose, step: drawn().step, index: drawn().index });
      const asked = question(x0, t, (purpose) => ({
        normals: () => feed(shape, "float32", () => normals(key(purpose), x0.size)),
        uniforms: () => feed(shape, "float32", () => Float32Array.from(uniforms(key(purpose), x0.size))),
      }));

      const loss = (...tensors: tf.Tensor[]): tf.Scalar => {
        const byName = new Map(names.map((name, i) => [name, tensors[i]!]));
        const f = trainingForward(byName, feed, seed, drawn);
        const output = network.forward(f, {
          x: asked.seen as tf.Tensor4D,
          t: time as tf.Tensor1D,
          y: y as tf.Tensor1D | null,
        });
        return tf.mean(asked.loss(output)) as tf.Scalar;
      };
      const { value, grads } = tf.valueAndGrads(loss)([...params]);
      return [value, ...grads];
    };

  let current: Drawn;
  const programs = new Map<number, Program>();
  return async (params, batch, gradient) => {
    const n = batch.labels.length;
    const question = await loading;
    if (!programs.has(n)) programs.set(n, program(computation(question, n, () => current)));
    current = draw(batch);
    const outputs = programs.get(n)!.run(params.tensors);
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

/** uint8 [n, H, W, C] to [-1, 1], mirrored where flips[i] < 1/2, unshuffled. */
function normalise(pixels: Uint8Array, image: PatchShape, patch: number, flips: Float64Array | null): Float32Array {
  const { height, width, channels } = image;
  const floats = scaled(pixels);
  flips?.forEach((u, i) => {
    if (u < 0.5)
      mirror(floats.subarray(i * height * width * channels, (i + 1) * height * width * channels), width, channels);
  });
  return seen(floats, image, patch);
}

function mirror(image: Float32Array, width: number, channels: number): void {
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
function trainingForward(
  params: ReadonlyMap<string, tf.Tensor>,
  feed: Feed,
  seed: number,
  drawn: () => Drawn,
): Forward {
  let used = 0;
  return {
    param: (name) => params.get(name)!,
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
