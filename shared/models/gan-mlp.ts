// A generator and a discriminator of dense layers, for data of few pixels: the toy networks of the field (Srivastava et al. 2017).

import * as tf from "@tensorflow/tfjs-core";
import type { Scope } from "../nn/layers.ts";
import type { Forward, Network } from "../nn/network.ts";
import { leaky, type PlainOptions, plainDense } from "../nn/plain-layers.ts";
import { buildGame, gameConfig } from "./game.ts";
import type { ImageShape, NetworkFields } from "./of-job.ts";

type Layer = (f: Forward, x: tf.Tensor2D) => tf.Tensor2D;

export function ganMlpOf(fields: NetworkFields, image: ImageShape): Network {
  const config = gameConfig(fields, image);
  const { height, width, channels, spectral } = config;
  const { channels: units, layers } = fields.model;
  const hidden = (scope: Scope, inputs: number, options?: PlainOptions): Layer[] =>
    Array.from({ length: layers }, (_, k) =>
      plainDense(scope.child(`layers.${k}`), k === 0 ? inputs : units, units, options),
    );
  return buildGame(config, {
    generator(scope, inputs) {
      const all = hidden(scope, inputs);
      const out = plainDense(scope.child("out"), units, height * width * channels);
      return (f, z) => {
        const h = all.reduce((x, layer) => tf.relu(layer(f, x)), z);
        return tf.reshape(out(f, h), [-1, height, width, channels]) as tf.Tensor4D;
      };
    },
    discriminator(scope) {
      const all = hidden(scope, height * width * channels, { spectral });
      return {
        features: units,
        look: (f, x) =>
          all.reduce<tf.Tensor2D>(
            (h, layer) => leaky(layer(f, h)),
            tf.reshape(x, [-1, height * width * channels]) as tf.Tensor2D,
          ),
      };
    },
  });
}
