// A frozen encoder of captions on this device, whoever trained it: one in a folder (shared/text), or the text tower of plume's own CLIP.

import type * as tf from "@tensorflow/tfjs-core";
import { invariant } from "../invariant.ts";
import type { MakeProgram } from "../nn/program.ts";
import { TOKENS, tokensOf } from "../scenes/tokens.ts";
import { MOST_WORDS } from "../scenes/words.ts";
import { type EncodeCaption, kept, openEncoder, shortened } from "../text/encode.ts";
import type { TextWeights } from "../text/read.ts";
import { openTokenizer, type Tokenize } from "../text/tokenizer.ts";
import { inference, named } from "./device-params.ts";
import { type FrozenWeights, onDevice } from "./frozen.ts";

export type EncoderWeights = TextWeights | FrozenWeights;

/** Of a model that plume trained; it knows the words of scenes alone. */
export const isClip = (weights: EncoderWeights): weights is FrozenWeights => "spec" in weights;

export const openTokens = async (weights: EncoderWeights): Promise<Tokenize> =>
  isClip(weights) ? clipTokens : openTokenizer(weights.tokenizer);

/** Begin, the caption's words, end, as CLIP numbers them. @throws PlumeError INVALID_ARGUMENT for a word that no scene has. */
export const clipTokens: Tokenize = (caption, called) => [
  TOKENS,
  ...tokensOf([caption], called).filter((token) => token > 0),
  TOKENS + 1,
];

/** @param most tokens of a caption; those beyond are left out, but for its end. */
export const openWords = async (weights: EncoderWeights, most: number, program: MakeProgram): Promise<EncodeCaption> =>
  isClip(weights) ? openTower(weights, most, program) : openEncoder(weights, most, program);

async function openTower(weights: FrozenWeights, most: number, program: MakeProgram): Promise<EncodeCaption> {
  const { network, params, spec } = await onDevice(weights);
  const { towers } = network;
  invariant(towers && spec.model.text, "a clip has two towers");
  const { width } = spec.model.text;
  let asked: Int32Array;
  const computed = program((feed, tensors) => {
    const ids = feed([MOST_WORDS], "int32", () => asked) as tf.Tensor1D;
    return [towers.words(inference(named(network.params, tensors)), ids)];
  });
  return kept(async (caption) => {
    const tokens = shortened(clipTokens(caption), most);
    asked = new Int32Array(MOST_WORDS);
    asked.set(tokens.slice(1, -1));
    const [words] = computed.run(params.tensors);
    const values = await words!.data<"float32">();
    words!.dispose();
    return values.slice(0, tokens.length * width);
  });
}
