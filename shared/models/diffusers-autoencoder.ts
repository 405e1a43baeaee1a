// The variational autoencoder as Python's diffusers has it (AutoencoderKL): its config.json. The tensors' names are the same on both
// sides (vae-parts.ts). Pure.

import { DIFFUSERS_VERSION } from "./diffusers.ts";
import type { VaeConfig } from "./vae-parts.ts";

/** AutoencoderKL's config.json. Its decoder gives twice the image's channels: means, and logarithms of scales behind them. */
export function autoencoderConfig(config: VaeConfig) {
  const { height, channels, latentChannels, widths, resBlocks, attentionLevels, groups } = config;
  const kind = (level: number) => (attentionLevels.includes(level) ? "Attn" : "");
  return {
    _class_name: "AutoencoderKL",
    _diffusers_version: DIFFUSERS_VERSION,
    sample_size: height,
    in_channels: channels,
    out_channels: 2 * channels,
    down_block_types: widths.map((_, level) => `${kind(level)}DownEncoderBlock2D`),
    up_block_types: widths.map((_, level) => `${kind(level)}UpDecoderBlock2D`).reverse(),
    block_out_channels: widths,
    layers_per_block: resBlocks,
    act_fn: "silu",
    latent_channels: latentChannels,
    norm_num_groups: groups,
    // z is the network's as it is.
    scaling_factor: 1,
  };
}
