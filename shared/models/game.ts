// A generator and a discriminator in one vector, whatever they are made of. Classes come in as in Mirza and Osindero 2014 (an embedding
// beside z) and Miyato and Koyama 2018 (a projection of the discriminator's features).

import * as tf from "@tensorflow/tfjs-core";
import { createScope, embedding, type Scope } from "../nn/layers.ts";
import type { Forward, Network } from "../nn/network.ts";
import { plainDense, plainEmbedding } from "../nn/plain-layers.ts";
import { forwardOf, given } from "./at-once.ts";
import type { ImageShape, NetworkFields } from "./of-job.ts";

/** Of images as the networks see them. */
export interface GameConfig extends ImageShape {
  readonly latent: number;
  readonly classes: number;
  /** Of every weight of the discriminator. */
  readonly spectral: boolean;
}

/** float32 [B, inputs] to images, float32 [B, H, W, C], of any size. */
type Paint = (f: Forward, z: tf.Tensor2D) => tf.Tensor4D;

/** Images to features. */
interface Look {
  readonly features: number;
  /** float32 [B, features]. */
  look(f: Forward, x: tf.Tensor4D): tf.Tensor2D;
}

/** What both networks are made of, between z and an image, and between an image and its logit. */
export interface Players {
  generator(scope: Scope, inputs: number): Paint;
  discriminator(scope: Scope): Look;
}

export function buildGame({ latent, classes, spectral }: GameConfig, players: Players): Network {
  const scope = createScope();
  const generator = scope.child("generator");
  const beside = classes > 0 ? embedding(generator.child("class_embedding"), classes, latent) : null;
  const paint = players.generator(generator, beside ? 2 * latent : latent);
  const discriminator = scope.child("discriminator");
  const { features, look } = players.discriminator(discriminator);
  const out = plainDense(discriminator.child("out"), features, 1, { spectral });
  const projection =
    classes > 0 ? plainEmbedding(discriminator.child("class_projection"), classes, features, { spectral }) : null;

  const generate = (f: Forward, z: tf.Tensor2D, y: tf.Tensor1D | null): tf.Tensor4D =>
    tf.tanh(paint(f, beside ? (tf.concat([z, beside(f, given(y, classes))], 1) as tf.Tensor2D) : z));
  return {
    params: scope.params,
    game: {
      latent,
      generate,
      discriminate(f, x, y) {
        const h = look(f, x);
        const logits = tf.reshape(out(f, h), [-1]) as tf.Tensor1D;
        if (!projection) return logits;
        return tf.add(logits, tf.sum(tf.mul(projection(f, given(y, classes)), h), 1)) as tf.Tensor1D;
      },
    },
    forward: forwardOf(latent, generate),
  };
}

export const gameConfig = (
  { data: { patch }, model: { classes }, adversarial }: NetworkFields,
  { height, width, channels }: ImageShape,
): GameConfig => ({
  height: height / patch,
  width: width / patch,
  channels: channels * patch * patch,
  latent: adversarial.latent,
  classes,
  spectral: adversarial.spectralNorm,
});

/** Channels, and the feature map's sides. */
interface Level {
  readonly width: number;
  readonly sides: readonly [number, number];
}

/** The finest level, the lowest one, and the channels on both sides of each step k between them. */
export function levelsOf({ model: { channels, channelMult } }: NetworkFields, { height, width }: ImageShape) {
  const levels = channelMult.map(
    (mult, level): Level => ({ width: channels * mult, sides: [height / 2 ** level, width / 2 ** level] }),
  );
  const steps = levels.slice(1).map((below, k) => ({ above: levels[k]!.width, below: below.width, k }));
  return { finest: levels[0]!, bottom: levels.at(-1)!, steps };
}

/** A feature map from z, of the lowest level: float32 [B, h, w, C]. */
export function firstMap(scope: Scope, inputs: number, { width, sides: [h, w] }: Level) {
  const dense = plainDense(scope, inputs, h * w * width);
  return (f: Forward, z: tf.Tensor2D): tf.Tensor4D => tf.reshape(dense(f, z), [-1, h, w, width]) as tf.Tensor4D;
}

/** The mean over all pixels, float32 [B, C]. */
export const pooled = (x: tf.Tensor4D): tf.Tensor2D => tf.mean(x, [1, 2]) as tf.Tensor2D;
