// A perceptron of all pixels, as Sohl-Dickstein et al. 2015 have it for data of few of them. It sees no time: for each number
// that it gives it has weights of bumps over time, and they are read out where they stand (the authors' model.py).

import * as tf from "@tensorflow/tfjs-core";
import { bumpsAt, temporalReadout } from "../diffusion/nonequilibrium/temporal.ts";
import { timesOf } from "../diffusion/processes/index.ts";
import { createScope, dense, embedding } from "../nn/layers.ts";
import type { Network } from "../nn/network.ts";
import { classRowsOf, type ImageShape, type NetworkFields, outputsOf } from "./of-job.ts";

export interface MlpConfig extends ImageShape {
  /** Of a hidden layer. */
  readonly units: number;
  readonly layers: number;
  /** Numbers that it gives for each of its input's. */
  readonly outputs: number;
  /** Bumps over time, at least 2. */
  readonly bases: number;
  /** What it is told at both ends of time. */
  readonly time: { readonly from: number; readonly to: number };
  readonly dropout: number;
  /** Rows of the class embedding; 0 without labels. */
  readonly classRows: number;
}

const silu = <X extends tf.Tensor>(x: X): X => tf.mul(x, tf.sigmoid(x)) as X;

/** x [B, H, W, C] -> [B, H, W, outputs C], float32. A fresh one returns exactly 0. */
export function buildMlp(config: MlpConfig): Network {
  const { height, width, channels, units, layers, outputs, bases, time, dropout, classRows } = config;
  const size = height * width * channels;
  const scope = createScope();
  const hidden = Array.from({ length: layers }, (_, k) =>
    dense(scope.child(`layers.${k}`), k === 0 ? size : units, units),
  );
  const label = classRows > 0 ? embedding(scope.child("class_embedding"), classRows, units) : null;
  const out = dense(scope.child("out"), units, size * outputs * bases, { zero: true });
  const scale = 2 / (time.to - time.from);
  return {
    params: scope.params,
    forward(f, { x, t, y }) {
      const B = x.shape[0];
      let h: tf.Tensor2D = tf.reshape(x, [B, size]);
      hidden.forEach((layer, k) => {
        const z = layer(f, h);
        h = f.dropout(silu(k === 0 && label && y ? tf.add(z, label(f, y)) : z), dropout) as tf.Tensor2D;
      });
      const weights = tf.reshape(out(f, h), [B, height, width, -1]);
      const along = tf.sub(tf.mul(tf.sub(t, time.from), scale), 1);
      return tf.concat(temporalReadout(bumpsAt(along, bases), weights, outputs), 3) as tf.Tensor4D;
    },
  };
}

/** Told its time by the labels of the process, from one end of its span to the other. */
export function mlpOf({ data, model, diffusion }: NetworkFields, { height, width, channels }: ImageShape): Network {
  const { span, label } = timesOf(diffusion);
  const { patch } = data;
  return buildMlp({
    height: height / patch,
    width: width / patch,
    channels: channels * patch * patch,
    units: model.channels,
    layers: model.layers,
    outputs: outputsOf(diffusion),
    bases: model.bases,
    time: { from: label(span.min), to: label(span.max) },
    dropout: model.dropout,
    classRows: classRowsOf(model),
  });
}
