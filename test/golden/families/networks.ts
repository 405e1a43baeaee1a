// Complete ADM networks by their published names, and parameter counts.

import * as tf from "@tensorflow/tfjs-core";
import { resizeFloats } from "../../../shared/data/resize.ts";
import { admModules, fromAdm } from "../../../shared/models/adm-names.ts";
import { buildEncoder } from "../../../shared/models/classifier.ts";
import { buildUnet, type UnetConfig } from "../../../shared/models/unet.ts";
import type { Network } from "../../../shared/nn/network.ts";
import { sizeOf } from "../../../shared/tensor/layout.ts";
import { formulaWeights, tensorOf } from "../arrays.ts";
import type { GoldenCase, GoldenFamily } from "../family.ts";
import { forwardWith } from "../params.ts";

interface AdmParams {
  readonly image_size: number;
  readonly in_channels: number;
  readonly model_channels: number;
  readonly out_channels: number;
  readonly num_res_blocks: number;
  /** Downsampling factors. */
  readonly attention_resolutions: number[];
  readonly channel_mult: number[];
  readonly num_heads?: number;
  readonly num_head_channels?: number;
  readonly use_new_attention_order?: boolean;
  readonly use_scale_shift_norm?: boolean;
  readonly resblock_updown?: boolean;
  readonly num_classes?: number | null;
  readonly pool?: "attention" | "adaptive";
  readonly weights?: unknown;
}

export const networks: GoldenFamily = {
  name: "networks",
  float32: () => true,
  run: (golden) => tf.engine().tidy(() => forward(golden) as never) as unknown as Record<string, unknown>,
};

function forward({ params, inputs, expected }: GoldenCase): Record<string, unknown> {
  const p = params as unknown as AdmParams;
  const superRes = inputs.low_res !== undefined;
  const config = configOf(p, superRes);
  const network: Network = p.pool
    ? buildEncoder({ ...config, pool: p.pool, bottomSide: p.image_size / 2 ** (p.channel_mult.length - 1) })
    : buildUnet(config);
  const out: Record<string, unknown> = {
    num_parameters: network.params.reduce((sum, { shape }) => sum + sizeOf(shape), 0),
  };
  if (!inputs.x) return out;
  const heads = (channels: number) => (config.headChannels ? channels / config.headChannels : (config.heads ?? 1));
  const modules = admModules(config, p.pool !== undefined);
  // The attention pool always uses the new order; the blocks the configured one.
  const order = p.use_new_attention_order ? "new" : "legacy";
  const all = formulaWeights(p.weights);
  const weights = [
    ...fromAdm(
      all.filter(({ name }) => !name.startsWith("out.")),
      modules,
      order,
      heads,
    ),
    ...fromAdm(
      all.filter(({ name }) => name.startsWith("out.")),
      modules,
      "new",
      heads,
    ),
  ];
  const f = forwardWith(network.params, weights);
  const x = tensorOf(inputs.x) as tf.Tensor4D;
  const lowRes = superRes ? { images: upsampled(tensorOf(inputs.low_res), x), level: null } : null;
  const y = inputs.y ? tf.tensor1d(inputs.y as number[], "int32") : null;
  const result = network.forward(f, { x, t: tf.tensor1d(inputs.timesteps as number[]), y, lowRes }).dataSync();
  out[expected.logits ? "logits" : "output"] = result;
  return out;
}

const upsampled = (low: tf.Tensor, { shape }: tf.Tensor4D) =>
  tf.tensor4d(resizeFloats(low.dataSync() as Float32Array, low.shape[1]!, shape[3], shape[1]), shape);

function configOf(p: AdmParams, superRes: boolean): UnetConfig {
  return {
    inC: superRes ? 2 * p.in_channels : p.in_channels,
    outC: p.out_channels,
    lowRes: superRes ? "plain" : undefined,
    channels: p.model_channels,
    channelMult: p.channel_mult,
    embedChannels: p.model_channels,
    resBlocks: p.num_res_blocks,
    attentionLevels: p.channel_mult.flatMap((_, level) =>
      p.attention_resolutions.includes(2 ** level) ? [level] : [],
    ),
    headChannels: p.num_head_channels && p.num_head_channels > 0 ? p.num_head_channels : undefined,
    heads: p.num_heads,
    groups: 32,
    eps: 1e-5,
    dropout: 0,
    scaleShift: p.use_scale_shift_norm ?? false,
    resample: p.resblock_updown ? "resblock" : "conv",
    classRows: p.num_classes ?? 0,
  };
}
