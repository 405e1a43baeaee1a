// The U-Net as Python's diffusers has it (UNet2DModel): its config.json, written and read. The tensors' names are the
// same on both sides (unet-parts.ts), their axes are not (diffusers-tensor.ts). Nothing here reads or writes files.

import { PlumeError } from "../errors.ts";
import { headsOf, levelChannels, sinusoidsOf, type UnetConfig } from "./unet-config.ts";

export { diffusersTensor, fromDiffusers, toDiffusers } from "./diffusers-tensor.ts";

/** The fields of UNet2DModel's config.json that plume writes and reads. */
export interface DiffusersConfig {
  readonly _class_name: string;
  readonly _diffusers_version?: string;
  readonly sample_size: number | readonly [number, number] | null;
  readonly in_channels: number;
  readonly out_channels: number;
  readonly center_input_sample: boolean;
  readonly time_embedding_type: string;
  readonly freq_shift: number;
  readonly flip_sin_to_cos: boolean;
  readonly down_block_types: readonly string[];
  /** Not written: its default is right, and older releases warn of a field they do not know. Null is a network without a middle. */
  readonly mid_block_type?: string | null;
  readonly up_block_types: readonly string[];
  readonly block_out_channels: readonly number[];
  readonly layers_per_block: number;
  readonly mid_block_scale_factor: number;
  readonly downsample_padding: number;
  readonly downsample_type: string;
  readonly upsample_type: string;
  readonly dropout: number;
  readonly act_fn: string;
  readonly attention_head_dim: number | null;
  readonly norm_num_groups: number;
  readonly attn_norm_num_groups: number | null;
  readonly norm_eps: number;
  readonly resnet_time_scale_shift: string;
  readonly add_attention: boolean;
  readonly class_embed_type: string | null;
  readonly num_class_embeds: number | null;
}

/** The release whose UNet2DModel the export was checked against. */
export const DIFFUSERS_VERSION = "0.27.2";

/** Block types by (resample, attention): an attention block follows `downsample_type`, a plain one is a type of its own. */
const BLOCKS = {
  conv: {
    type: "conv",
    down: { plain: "DownBlock2D", attention: "AttnDownBlock2D" },
    up: { plain: "UpBlock2D", attention: "AttnUpBlock2D" },
  },
  resblock: {
    type: "resnet",
    down: { plain: "ResnetDownsampleBlock2D", attention: "AttnDownBlock2D" },
    up: { plain: "ResnetUpsampleBlock2D", attention: "AttnUpBlock2D" },
  },
} as const;

/**
 * UNet2DModel's config.json for this U-Net.
 * @param side height and width of the network's input in its own pixels (behind the patches), or null.
 * @throws PlumeError FAILED_PRECONDITION when UNet2DModel has no such network.
 */
export function diffusersConfig(config: UnetConfig, side: number | null = null): DiffusersConfig {
  const widths = levelChannels(config);
  const blocks = BLOCKS[config.resample];
  const kind = (level: number) => (config.attentionLevels.includes(level) ? "attention" : "plain");
  const levels = widths.map((_, level) => level);
  if (sinusoidsOf(config) !== widths[0])
    throw unlike(`a time embedding of ${sinusoidsOf(config)} sinusoids over ${widths[0]} channels`);
  return {
    _class_name: "UNet2DModel",
    _diffusers_version: DIFFUSERS_VERSION,
    sample_size: side,
    in_channels: config.inC,
    out_channels: config.outC,
    center_input_sample: false,
    time_embedding_type: "positional",
    freq_shift: 0,
    flip_sin_to_cos: true,
    down_block_types: levels.map((level) => blocks.down[kind(level)]),
    up_block_types: levels.map((level) => blocks.up[kind(level)]).reverse(),
    block_out_channels: widths,
    layers_per_block: config.resBlocks,
    mid_block_scale_factor: 1,
    downsample_padding: 1,
    downsample_type: blocks.type,
    upsample_type: blocks.type,
    dropout: config.dropout,
    act_fn: "silu",
    attention_head_dim: headDim(config, widths),
    norm_num_groups: config.groups,
    // Null would leave out the middle's norm when scale and shift are on.
    attn_norm_num_groups: config.groups,
    norm_eps: config.eps,
    resnet_time_scale_shift: config.scaleShift ? "scale_shift" : "default",
    add_attention: true,
    class_embed_type: null,
    num_class_embeds: config.classRows > 0 ? config.classRows : null,
  };
}

/** UNet2DModel knows one width of a head for all levels; null makes it the level's channels: one head. */
function headDim(config: UnetConfig, widths: readonly number[]): number | null {
  if (config.headChannels) return config.headChannels;
  const attending = widths.filter((_, level) => level === widths.length - 1 || config.attentionLevels.includes(level));
  const dims = new Set(attending.map((width) => width / headsOf(config, width)));
  if (attending.every((width) => headsOf(config, width) === 1)) return null;
  if (dims.size > 1) throw unlike(`${config.heads} heads over ${attending.join(" and ")} channels`);
  return [...dims][0]!;
}

/** What UNet2DModel takes for a field that its config.json leaves out. */
const DEFAULTS: DiffusersConfig = {
  _class_name: "",
  sample_size: null,
  in_channels: 3,
  out_channels: 3,
  center_input_sample: false,
  time_embedding_type: "positional",
  freq_shift: 0,
  flip_sin_to_cos: true,
  down_block_types: ["DownBlock2D", "AttnDownBlock2D", "AttnDownBlock2D", "AttnDownBlock2D"],
  mid_block_type: "UNetMidBlock2D",
  up_block_types: ["AttnUpBlock2D", "AttnUpBlock2D", "AttnUpBlock2D", "UpBlock2D"],
  block_out_channels: [224, 448, 672, 896],
  layers_per_block: 2,
  mid_block_scale_factor: 1,
  downsample_padding: 1,
  downsample_type: "conv",
  upsample_type: "conv",
  dropout: 0,
  act_fn: "silu",
  attention_head_dim: 8,
  norm_num_groups: 32,
  attn_norm_num_groups: null,
  norm_eps: 1e-5,
  resnet_time_scale_shift: "default",
  add_attention: true,
  class_embed_type: null,
  num_class_embeds: null,
};

/**
 * The U-Net that a config.json describes: the inverse of diffusersConfig.
 * @throws PlumeError FAILED_PRECONDITION naming the first field of which plume's U-Net has another value.
 */
export function unetOfDiffusers(json: Partial<DiffusersConfig>): UnetConfig {
  refuseUnknown(json);
  const full = { ...DEFAULTS, ...json };
  const scaleShift = full.resnet_time_scale_shift === "scale_shift";
  const channels = full.block_out_channels.reduce(commonDivisor);
  const config: UnetConfig = {
    inC: full.in_channels,
    outC: full.out_channels,
    channels,
    channelMult: full.block_out_channels.map((width) => width / channels),
    resBlocks: full.layers_per_block,
    attentionLevels: full.down_block_types.flatMap((type, level) => (type.startsWith("Attn") ? [level] : [])),
    headChannels: full.attention_head_dim ?? undefined,
    groups: full.norm_num_groups,
    eps: full.norm_eps,
    dropout: full.dropout,
    scaleShift,
    resample: full.down_block_types[0]!.startsWith("Resnet") || full.downsample_type === "resnet" ? "resblock" : "conv",
    classRows: full.num_class_embeds ?? 0,
  };
  const ours = { ...diffusersConfig(config), mid_block_type: DEFAULTS.mid_block_type };
  // In the middle, null means the others' groups without scale and shift, and no norm with them.
  const theirs = {
    ...full,
    act_fn: full.act_fn === "swish" ? "silu" : full.act_fn,
    attn_norm_num_groups: full.attn_norm_num_groups ?? (scaleShift ? null : full.norm_num_groups),
  };
  const free: readonly string[] = ["_diffusers_version", "sample_size"];
  for (const key of Object.keys(ours) as (keyof typeof ours)[])
    if (!free.includes(key) && JSON.stringify(theirs[key]) !== JSON.stringify(ours[key]))
      throw new PlumeError(
        "FAILED_PRECONDITION",
        `config.json has ${key} ${JSON.stringify(theirs[key])}, plume's U-Net has ${JSON.stringify(ours[key])}`,
        { remedy: "start from a folder that plume exported, or from a UNet2DModel with ADM's settings" },
      );
  return config;
}

/** Of the training's EMA, not of the network. */
const EMA_FIELDS = [
  "decay",
  "min_decay",
  "optimization_step",
  "update_after_step",
  "use_ema_warmup",
  "inv_gamma",
  "power",
];

/** A field that this plume does not know may make another network of it; null is a field that is not used. */
function refuseUnknown(json: object): void {
  for (const [field, value] of Object.entries(json))
    if (value !== null && !field.startsWith("_") && !(field in DEFAULTS) && !EMA_FIELDS.includes(field))
      throw new PlumeError(
        "FAILED_PRECONDITION",
        `config.json has ${field} ${JSON.stringify(value)}, which plume's U-Net has not`,
        {
          remedy: "start from a folder that plume exported, or from a UNet2DModel with ADM's settings",
        },
      );
}

const commonDivisor = (a: number, b: number): number => (b === 0 ? a : commonDivisor(b, a % b));

const unlike = (what: string) =>
  new PlumeError("FAILED_PRECONDITION", `diffusers' UNet2DModel cannot have ${what}`, {
    remedy: "train with headChannels instead of heads, and with embedChannels absent",
  });
