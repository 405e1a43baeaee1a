// Building blocks of the networks, one by one.

import * as tf from "@tensorflow/tfjs-core";
import { fromAdm, type NamedValues, splitQkv } from "../../../shared/models/adm-names.ts";
import { edmBlock } from "../../../shared/models/edm-block.ts";
import { resBlock } from "../../../shared/models/res-block.ts";
import { attend, attentionBlock, attentionPool, type QkvOrder, qkvChannel } from "../../../shared/nn/attention.ts";
import { silu } from "../../../shared/nn/fused.ts";
import { conv2d, createScope, downsample, groupNorm, upsample } from "../../../shared/nn/layers.ts";
import type { Forward } from "../../../shared/nn/network.ts";
import { formulaWeights, tensorOf } from "../arrays.ts";
import type { GoldenCase, GoldenFamily } from "../family.ts";
import { forwardWith } from "../params.ts";

export const blocks: GoldenFamily = {
  name: "blocks",
  float32: () => true,
  run: (golden) => ({ y: tf.tidy(() => outputOf(golden).dataSync()) }),
};

type Params = Readonly<Record<string, number>> & {
  readonly use_scale_shift_norm?: boolean;
  readonly use_new_attention_order?: boolean;
  readonly down?: boolean;
  readonly up?: boolean;
  readonly use_conv?: boolean;
  readonly adaptive_scale?: boolean;
};

const EPS = 1e-5;
const ADM_GROUPS = 32;

function outputOf(golden: GoldenCase): tf.Tensor {
  const { name, inputs } = golden;
  const p = golden.params as unknown as Params;
  const weights = golden.params.weights ? formulaWeights(golden.params.weights) : [];
  if (inputs.qkv)
    return fusedAttention(tensorOf(inputs.qkv) as tf.Tensor3D, p.heads!, name.includes("legacy") ? "legacy" : "new");
  const x = tensorOf(inputs.x) as tf.Tensor4D;
  const emb = inputs.emb ? (tensorOf(inputs.emb) as tf.Tensor2D) : null;
  const has = (weight: string) => weights.some((row) => row.name === weight);
  const scope = createScope();
  const withValues = (values: readonly NamedValues[]): Forward => forwardWith(scope.params, values);

  if (p.groups !== undefined && has("weight")) {
    const norm = groupNorm(scope, p.channels!, { groups: p.groups!, eps: p.eps! });
    return norm(withValues(weights), x);
  }
  if (name.startsWith("silu")) return silu(x);
  if (has("qkv.weight") && has("norm.weight")) {
    const perHead = p.num_head_channels ?? -1;
    const heads = perHead > 0 ? p.channels! / perHead : (p.num_heads ?? 1);
    const block = attentionBlock(scope, p.channels!, { heads, groups: ADM_GROUPS, eps: EPS });
    const modules = new Map([
      ["norm", "group_norm"],
      ["qkv", ""],
      ["proj_out", "to_out.0"],
    ]);
    const order: QkvOrder = p.use_new_attention_order ? "new" : "legacy";
    const values = weights.flatMap((w) =>
      w.name.startsWith("qkv")
        ? splitQkv(w, "", order, () => heads).map((part) => ({ ...part, name: part.name.slice(1) }))
        : fromAdm([w], modules, order, () => heads),
    );
    return block(withValues(values), x);
  }
  if (has("in_layers.0.weight")) {
    const outC = p.out_channels ?? p.channels!;
    const block = resBlock(scope, {
      inC: p.channels!,
      outC,
      embC: p.emb_channels!,
      groups: ADM_GROUPS,
      eps: EPS,
      dropout: p.dropout ?? 0,
      scaleShift: p.use_scale_shift_norm ?? false,
      resample: p.down ? "down" : p.up ? "up" : undefined,
      shortcutKernel: p.use_conv ? 3 : 1,
    });
    const modules = new Map([
      ["in_layers.0", "norm1"],
      ["in_layers.2", "conv1"],
      ["emb_layers.1", "time_emb_proj"],
      ["out_layers.0", "norm2"],
      ["out_layers.3", "conv2"],
      ["skip_connection", "conv_shortcut"],
    ]);
    return block(withValues(fromAdm(weights, modules, "legacy", () => 1)), x, silu(emb!));
  }
  const C = x.shape[3];
  if (name.startsWith("upsample")) {
    const layer = upsample(weights.length > 0 ? scope.child("conv") : null, C);
    return layer(withValues(weights), x);
  }
  // ADM's "op" pads all sides; the "conv" of DDPM's port pads as TensorFlow does.
  if (name.startsWith("downsample") && !has("conv.weight")) {
    const layer = downsample(weights.length > 0 ? scope.child("op") : null, C);
    return layer(withValues(weights), x);
  }
  if (name.startsWith("downsample")) {
    const layer = conv2d(scope.child("conv"), C, C, 3, { stride: 2, pad: "same" });
    return layer(withValues(weights), x);
  }
  if (golden.params.size)
    return tf.image.resizeBilinear(
      x,
      golden.params.size as [number, number],
      golden.params.align_corners === true,
      golden.params.align_corners !== true,
    );
  if (has("norm0.weight")) {
    const heads = p.num_heads ?? 1;
    const block = edmBlock(scope, {
      inC: p.in_channels!,
      outC: p.out_channels!,
      embC: p.emb_channels!,
      heads: golden.params.attention ? heads : 0,
      skipScale: p.skip_scale!,
      adaptiveScale: p.adaptive_scale ?? false,
      eps: p.eps!,
    });
    const values = weights.flatMap((w) => {
      if (!w.name.startsWith("qkv")) return [w];
      const dense = w.name.endsWith("weight") ? { ...w, shape: w.shape.slice(-2) } : w;
      return splitQkv(dense, "", "interleaved", () => heads).map((part) => ({ ...part, name: part.name.slice(1) }));
    });
    return block(withValues(values), x, emb!);
  }
  if (has("positional_embedding")) {
    const heads = p.embed_dim! / p.num_heads_channels!;
    const pool = attentionPool(scope, p.spacial_dim!, p.embed_dim!, heads, p.output_dim!);
    const values = weights.flatMap((w) =>
      w.name.startsWith("qkv_proj")
        ? splitQkv(w, "", "new", () => heads).map((part) => ({ ...part, name: part.name.slice(1) }))
        : [w],
    );
    return pool(withValues(values), x);
  }
  throw new Error(`no block is named ${name}`);
}

/** qkv [N, T, 3C] in a fused order -> [N, T, C]. */
function fusedAttention(qkv: tf.Tensor3D, heads: number, order: QkvOrder): tf.Tensor3D {
  const C = qkv.shape[2] / 3;
  const part = (p: number) => {
    const channels = Array.from({ length: C }, (_, c) => qkvChannel(order, heads, C, p, c));
    return tf.gather(qkv, tf.tensor1d(channels, "int32"), 2) as tf.Tensor3D;
  };
  return attend(part(0), part(1), part(2), heads);
}
