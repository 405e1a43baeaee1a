// ADM's U-Net (Dhariwal and Nichol 2021; guided-diffusion's unet.py), of which DDPM's and iDDPM's are settings.
// Parameter names are those of diffusers' UNet2DModel, one to one (diffusers.ts); shapes are plume's (HWIO, [in, out]).

import * as tf from "@tensorflow/tfjs-core";
import { PlumeError } from "../errors.ts";
import { conv2d, createScope, groupNorm } from "../nn/layers.ts";
import type { Forward, Network, NetworkInput } from "../nn/network.ts";
import { type ImageShape, type NetworkFields, unetConfig } from "./of-job.ts";
import { checkConfig, levelChannels, type UnetConfig } from "./unet-config.ts";
import { conditioning, decoder, encoder } from "./unet-parts.ts";

export type { UnetConfig } from "./unet-config.ts";

/**
 * x [B, H, W, inC] -> [B, H, W, outC], float32; H and W divisible by 2^(levels - 1). A fresh one returns exactly 0.
 * Of an upsampler x has outC channels, or half of them where it learns a variance, and its input brings the other half of inC.
 * @throws PlumeError INVALID_ARGUMENT when the settings fit no network.
 */
export function buildUnet(config: UnetConfig): Network {
  checkConfig(config);
  const { groups, eps, outC, scaleSkips } = config;
  const scope = createScope();
  const tell = conditioning(scope, config);
  const { down, middle, skipC } = encoder(scope, config);
  const up = decoder(scope, config, skipC);
  const channels = levelChannels(config)[0]!;
  const normOut = groupNorm(scope.child("conv_norm_out"), channels, { groups, eps, silu: true });
  const convOut = conv2d(scope.child("conv_out"), channels, outC, 3, { zero: true });

  const taken = (skip: tf.Tensor4D): tf.Tensor4D => (scaleSkips ? tf.mul(skip, Math.SQRT1_2) : skip);

  const forward = (f: Forward, input: NetworkInput): tf.Tensor4D => {
    let h = withLowRes(config, input);
    const told = tell(f, input);
    const skips: tf.Tensor4D[] = [];
    for (const block of down) {
      h = block(f, h, told);
      skips.push(h);
    }
    h = middle(f, h, told);
    for (const { block, join } of up)
      h = block(f, join ? (tf.concat([h, taken(skips.pop()!)], 3) as tf.Tensor4D) : h, told);
    return convOut(f, normOut(f, h));
  };
  return { params: scope.params, forward };
}

/** guided-diffusion's SuperResModel: the low-resolution image, as large as x, behind x's channels. */
function withLowRes(config: UnetConfig, { x, lowRes }: NetworkInput): tf.Tensor4D {
  if (!config.lowRes) return x;
  if (!lowRes)
    throw new PlumeError("INVALID_ARGUMENT", "an upsampler was given no low-resolution images", {
      remedy: "give one an image, as large as the model's lowRes.size says",
    });
  return tf.concat([x, lowRes.images], 3) as tf.Tensor4D;
}

export function unetOf(fields: NetworkFields, { height, width, channels }: ImageShape): Network {
  const size = fields.model.lowRes?.size ?? 0;
  if (size > 0 && (height !== width || size >= height))
    throw new PlumeError(
      "INVALID_ARGUMENT",
      `model.lowRes.size ${size} is no lower resolution of the data's images, which are ${width}x${height}`,
      { remedy: "choose square images that are larger, or leave model.lowRes out" },
    );
  return buildUnet(unetConfig(fields, channels));
}
