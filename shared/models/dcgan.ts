// DCGAN (Radford et al. 2016) without its batch norm, with which no gradient would be a micro-batch's own: strided convolutions down;
// up by repetition and a convolution, which leaves no checkerboard (Odena et al. 2016).

import * as tf from "@tensorflow/tfjs-core";
import { upsample } from "../nn/layers.ts";
import type { Network } from "../nn/network.ts";
import { leaky, plainConv2d } from "../nn/plain-layers.ts";
import { buildGame, firstMap, gameConfig, levelsOf, pooled } from "./game.ts";
import type { ImageShape, NetworkFields } from "./of-job.ts";

export function dcganOf(fields: NetworkFields, image: ImageShape): Network {
  const config = gameConfig(fields, image);
  const { channels, spectral } = config;
  const { finest, bottom, steps } = levelsOf(fields, config);
  return buildGame(config, {
    generator(scope, inputs) {
      const first = firstMap(scope.child("in"), inputs, bottom);
      const up = steps
        .toReversed()
        .map(({ above, below, k }) => plainConv2d(scope.child(`up.${k}`), below, above, 3, { pad: 1 }));
      const double = upsample(null, 0);
      const out = plainConv2d(scope.child("out"), finest.width, channels, 3, { pad: 1 });
      return (f, z) => {
        let h = tf.relu(first(f, z));
        for (const conv of up) h = tf.relu(conv(f, double(f, h)));
        return out(f, h);
      };
    },
    discriminator(scope) {
      const convs = [
        plainConv2d(scope.child("in"), channels, finest.width, 3, { pad: 1, spectral }),
        ...steps.map(({ above, below, k }) =>
          plainConv2d(scope.child(`down.${k}`), above, below, 4, { stride: 2, pad: 1, spectral }),
        ),
        plainConv2d(scope.child("bottom"), bottom.width, bottom.width, 3, { pad: 1, spectral }),
      ];
      return {
        features: bottom.width,
        look: (f, x) => pooled(convs.reduce((h, conv) => leaky(conv(f, h)), x)),
      };
    },
  });
}
