// A clip's tensors as Hugging Face's CLIPModel has them, and its config: names, and plume's order of axes ([in, out], a patch's numbers
// in one row) to PyTorch's ([out, in], OIHW). Pure; exact: only moves.

import type { NamedValues } from "./adm-names.ts";
import type { ClipConfig } from "./clip-config.ts";
import { fromDiffusers, toDiffusers } from "./diffusers-tensor.ts";

/** Parts of a layer. */
const PARTS: Readonly<Record<string, string>> = {
  to_q: "self_attn.q_proj",
  to_k: "self_attn.k_proj",
  to_v: "self_attn.v_proj",
  to_out: "self_attn.out_proj",
  fc1: "mlp.fc1",
  fc2: "mlp.fc2",
};

const PATCHES = "vision_model.embeddings.patch_embedding.weight";
/** Rows of a table, which are nobody's inputs. */
const TABLE = /embeddings\.(token|position)_embedding\.weight$/;

const renamed = (name: string, part: (own: string) => string): string =>
  name.replace(/(\.layers\.\d+\.)([a-z_.0-9]+)(\.(?:weight|bias))$/, (_, layer, own, end) => layer + part(own) + end);

/** @param channels of the images. */
export function toClipModel({ name, shape, values }: NamedValues, channels: number): NamedValues {
  const there = renamed(name, (own) => PARTS[own] ?? own);
  if (TABLE.test(name)) return { name: there, shape, values };
  return toDiffusers({ name: there, shape: name === PATCHES ? kernelShape(shape, channels) : shape, values });
}

/** The inverse. */
export function fromClipModel(tensor: NamedValues): NamedValues {
  const own = (theirs: string) => Object.keys(PARTS).find((part) => PARTS[part] === theirs) ?? theirs;
  const name = renamed(tensor.name, own);
  if (TABLE.test(name)) return { ...tensor, name };
  const { shape, values } = fromDiffusers(tensor);
  return { name, shape: name === PATCHES ? [shape[0]! * shape[1]! * shape[2]!, shape[3]!] : shape, values };
}

/** [p p C, width] as a kernel HWIO: a patch's numbers are row by row, pixel by pixel. */
function kernelShape([numbers, width]: readonly number[], channels: number): readonly number[] {
  const p = Math.sqrt(numbers! / channels);
  return [p, p, channels, width!];
}

const EPS = 1e-5;

/** config.json of a CLIPModel. @param image of its data set. */
export function clipModelConfig(
  { embedding, vision, text }: ClipConfig,
  { height, channels, patch }: { readonly height: number; readonly channels: number; readonly patch: number },
) {
  const tower = ({ width, layers, heads }: ClipConfig["vision"] | ClipConfig["text"]) => ({
    hidden_size: width,
    intermediate_size: 4 * width,
    num_hidden_layers: layers,
    num_attention_heads: heads,
    hidden_act: "quick_gelu",
    layer_norm_eps: EPS,
    projection_dim: embedding,
  });
  const [begin, end] = [text.tokens, text.tokens + 1];
  return {
    architectures: ["CLIPModel"],
    model_type: "clip",
    projection_dim: embedding,
    text_config: {
      ...{ model_type: "clip_text_model", ...tower(text) },
      ...{ vocab_size: text.tokens + 2, max_position_embeddings: text.length + 2 },
      ...{ pad_token_id: 0, bos_token_id: begin, eos_token_id: end },
    },
    vision_config: {
      ...{ model_type: "clip_vision_model", ...tower(vision) },
      ...{ image_size: height, patch_size: patch, num_channels: channels },
    },
  };
}
