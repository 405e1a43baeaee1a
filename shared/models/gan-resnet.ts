// The residual generator and discriminator of Miyato et al. 2018 (App. B.4), without batch norm; the discriminator halves by strided
// convolutions instead of means, on both branches.

import * as tf from "@tensorflow/tfjs-core";
import { type Scope, upsample } from "../nn/layers.ts";
import type { Forward, Network } from "../nn/network.ts";
import { leaky, plainConv2d } from "../nn/plain-layers.ts";
import { buildGame, firstMap, gameConfig, levelsOf, pooled } from "./game.ts";
import type { ImageShape, NetworkFields } from "./of-job.ts";

type Block = (f: Forward, x: tf.Tensor4D) => tf.Tensor4D;

const double = upsample(null, 0);

/** To twice the sides. */
function upBlock(scope: Scope, inC: number, outC: number): Block {
  const conv1 = plainConv2d(scope.child("conv1"), inC, outC, 3, { pad: 1 });
  const conv2 = plainConv2d(scope.child("conv2"), outC, outC, 3, { pad: 1 });
  const shortcut = plainConv2d(scope.child("conv_shortcut"), inC, outC, 1, { pad: 0 });
  return (f, x) => {
    const h = conv2(f, tf.relu(conv1(f, double(f, tf.relu(x)))));
    return tf.add(double(f, shortcut(f, x)), h);
  };
}

/** To half the sides. */
function downBlock(scope: Scope, inC: number, outC: number, spectral: boolean): Block {
  const conv1 = plainConv2d(scope.child("conv1"), inC, outC, 3, { pad: 1, spectral });
  const conv2 = plainConv2d(scope.child("conv2"), outC, outC, 4, { stride: 2, pad: 1, spectral });
  const shortcut = plainConv2d(scope.child("conv_shortcut"), inC, outC, 2, { stride: 2, pad: 0, spectral });
  return (f, x) => tf.add(shortcut(f, x), conv2(f, leaky(conv1(f, leaky(x)))));
}

/** At the same sides. */
function block(scope: Scope, C: number, spectral: boolean): Block {
  const conv1 = plainConv2d(scope.child("conv1"), C, C, 3, { pad: 1, spectral });
  const conv2 = plainConv2d(scope.child("conv2"), C, C, 3, { pad: 1, spectral });
  return (f, x) => tf.add(x, conv2(f, leaky(conv1(f, leaky(x)))));
}

export function ganResnetOf(fields: NetworkFields, image: ImageShape): Network {
  const config = gameConfig(fields, image);
  const { channels, spectral } = config;
  const { finest, bottom, steps } = levelsOf(fields, config);
  return buildGame(config, {
    generator(scope, inputs) {
      const first = firstMap(scope.child("in"), inputs, bottom);
      const blocks = steps.toReversed().map(({ above, below, k }) => upBlock(scope.child(`up.${k}`), below, above));
      const out = plainConv2d(scope.child("out"), finest.width, channels, 3, { pad: 1 });
      return (f, z) => out(f, tf.relu(blocks.reduce((h, up) => up(f, h), first(f, z))));
    },
    discriminator(scope) {
      const first = plainConv2d(scope.child("in"), channels, finest.width, 3, { pad: 1, spectral });
      const blocks = [
        ...steps.map(({ above, below, k }) => downBlock(scope.child(`down.${k}`), above, below, spectral)),
        block(scope.child("bottom"), bottom.width, spectral),
      ];
      return {
        features: bottom.width,
        look: (f, x) => pooled(leaky(blocks.reduce((h, down) => down(f, h), first(f, x)))),
      };
    },
  });
}
