// Names of guided-diffusion's state_dict and plume's names for the same tensors, so that published ADM weights can be
// loaded and its numbers checked.

import { type QkvOrder, qkvChannel } from "../nn/attention.ts";
import type { UnetConfig } from "./unet-config.ts";

/** A tensor in plume's layout: HWIO, [in, out]. */
export interface NamedValues {
  readonly name: string;
  readonly shape: readonly number[];
  readonly values: Float32Array;
}

const RES: Readonly<Record<string, string>> = {
  "in_layers.0": "norm1",
  "in_layers.2": "conv1",
  "emb_layers.1": "time_emb_proj",
  "out_layers.0": "norm2",
  "out_layers.3": "conv2",
  skip_connection: "conv_shortcut",
};

/** Module prefixes of ADM and of plume; attention modules map to blocks whose qkv is split. */
export function admModules(
  config: Pick<UnetConfig, "channelMult" | "resBlocks" | "attentionLevels" | "resample">,
  encoderOnly = false,
): Map<string, string> {
  const { channelMult, resBlocks, attentionLevels, resample } = config;
  const levels = channelMult.length;
  const modules = new Map<string, string>([
    ["time_embed.0", "time_embedding.linear_1"],
    ["time_embed.2", "time_embedding.linear_2"],
    ["label_emb", "class_embedding"],
    ["input_blocks.0.0", "conv_in"],
    ["out.0", "conv_norm_out"],
    ["out.2", encoderOnly ? "pool" : "conv_out"],
    ["out.3", "pool"],
  ]);
  const res = (adm: string, ours: string) => {
    for (const [from, to] of Object.entries(RES)) modules.set(`${adm}.${from}`, `${ours}.${to}`);
  };
  const attention = (adm: string, ours: string) => {
    modules.set(`${adm}.norm`, `${ours}.group_norm`);
    modules.set(`${adm}.qkv`, ours);
    modules.set(`${adm}.proj_out`, `${ours}.to_out.0`);
  };
  let index = 1;
  for (let level = 0; level < levels; level++) {
    for (let i = 0; i < resBlocks; i++, index++) {
      res(`input_blocks.${index}.0`, `down_blocks.${level}.resnets.${i}`);
      if (attentionLevels.includes(level)) attention(`input_blocks.${index}.1`, `down_blocks.${level}.attentions.${i}`);
    }
    if (level === levels - 1) continue;
    const ours = `down_blocks.${level}.downsamplers.0`;
    if (resample === "resblock") res(`input_blocks.${index}.0`, ours);
    else modules.set(`input_blocks.${index}.0.op`, `${ours}.conv`);
    index++;
  }
  res("middle_block.0", "mid_block.resnets.0");
  attention("middle_block.1", "mid_block.attentions.0");
  res("middle_block.2", "mid_block.resnets.1");
  index = 0;
  for (let level = levels - 1; level >= 0; level--) {
    const block = `up_blocks.${levels - 1 - level}`;
    for (let i = 0; i <= resBlocks; i++, index++) {
      let sub = 0;
      res(`output_blocks.${index}.${sub++}`, `${block}.resnets.${i}`);
      if (attentionLevels.includes(level)) attention(`output_blocks.${index}.${sub++}`, `${block}.attentions.${i}`);
      if (level === 0 || i < resBlocks) continue;
      if (resample === "resblock") res(`output_blocks.${index}.${sub}`, `${block}.upsamplers.0`);
      else modules.set(`output_blocks.${index}.${sub}.conv`, `${block}.upsamplers.0.conv`);
    }
  }
  return modules;
}

/** Cuts a fused qkv weight [in, 3C] or bias [3C] into to_q, to_k and to_v. */
export function splitQkv(
  { name, shape, values }: NamedValues,
  prefix: string,
  order: QkvOrder,
  headsOf: (channels: number) => number,
): NamedValues[] {
  const leaf = name.slice(name.lastIndexOf(".") + 1);
  const C = shape.at(-1)! / 3;
  const rows = shape.slice(0, -1).reduce((product, n) => product * n, 1);
  return ["to_q", "to_k", "to_v"].map((part, p) => {
    const out = new Float32Array(rows * C);
    for (let row = 0; row < rows; row++)
      for (let c = 0; c < C; c++) out[row * C + c] = values[row * 3 * C + qkvChannel(order, headsOf(C), C, p, c)]!;
    return { name: `${prefix}.${part}.${leaf}`, shape: shape.length === 1 ? [C] : [rows, C], values: out };
  });
}

/** Translates ADM tensors by name. @throws when a module is unknown. */
export function fromAdm(
  tensors: readonly NamedValues[],
  modules: ReadonlyMap<string, string>,
  order: QkvOrder,
  headsOf: (channels: number) => number,
): NamedValues[] {
  return tensors.flatMap((tensor) => {
    const dot = tensor.name.lastIndexOf(".");
    const [module, leaf] = [tensor.name.slice(0, dot), tensor.name.slice(dot + 1)];
    const parent = module.slice(0, module.lastIndexOf("."));
    if (module.endsWith(".qkv")) return splitQkv(tensor, modules.get(module)!, order, headsOf);
    if (module.endsWith(".qkv_proj")) return splitQkv(tensor, modules.get(parent)!, order, headsOf);
    if (module.endsWith(".c_proj")) return [{ ...tensor, name: `${modules.get(parent)}.c_proj.${leaf}` }];
    const ours = modules.get(module);
    if (!ours) throw new Error(`${tensor.name} is no tensor of this network`);
    return [{ ...tensor, name: `${ours}.${leaf}` }];
  });
}
