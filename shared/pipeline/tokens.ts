// A micro-batch of a network that learns codes, and for what a dvae has codes of the tokens of captions too: a function of its samples and
// of both networks' parameters.

import * as tf from "@tensorflow/tfjs-core";
import type { JobSpec } from "../config/schema.ts";
import type { PatchShape } from "../data/patch.ts";
import { invariant } from "../invariant.ts";
import type { Forward, TokenModel } from "../nn/network.ts";
import { type Computation, type MakeProgram, programsBySize } from "../nn/program.ts";
import { objectiveKind } from "../objectives/index.ts";
import type { TokensObjective } from "../objectives/objective.ts";
import { tokensOf } from "../scenes/tokens.ts";
import type { Layout } from "../tensor/layout.ts";
import { type CaptionNumbers, feedText, readScenes, trainingText } from "./captions.ts";
import { inference, named } from "./device-params.ts";
import { codesOf } from "./embedding-codes.ts";
import type { FrozenNetwork, FrozenNetworks } from "./frozen.ts";
import { normalise } from "./images.ts";
import type { ComputeMicroBatch } from "./micro-batch.ts";
import { readGradient } from "./read-gradient.ts";
import { shuffleShape } from "./shape.ts";
import { imageEmbedding, saysAny, textEmbedding } from "./towers.ts";

interface Drawn {
  /** float32 [n, h, w, c], as the model whose codes they are sees it. */
  readonly x: Float32Array;
  /** As the network is told them. */
  readonly text: CaptionNumbers;
  readonly captions: readonly string[];
}

/** What codes a micro-batch. */
interface Coder {
  readonly of: FrozenNetwork;
  /**
   * @param text the captions' words, none of those that are dropped: int32 [n L]. @param said the words of all.
   * @returns int32 [n, N], and what the network is told of CLIP's: float32 [n, D].
   */
  code(
    f: Forward,
    x: tf.Tensor4D,
    text: tf.Tensor1D,
    said: () => tf.Tensor1D,
  ): { readonly codes: tf.Tensor2D; readonly embedding?: tf.Tensor2D };
}

function byCodebook(of: FrozenNetwork): Coder {
  const { codebook } = of.network;
  invariant(codebook, "a dvae has a codebook");
  return { of, code: (f, x) => ({ codes: codebook.encode(f, x, null) }) };
}

/** @param K buckets. */
function byBuckets(of: FrozenNetwork, K: number): Coder {
  const { towers } = of.network;
  invariant(towers, "a clip has two towers");
  return {
    of,
    code(f, x, text, said) {
      // Without its caption too a picture has the first code: guidance mixes what is said behind the same codes.
      const texts = textEmbedding(towers, f, said());
      const codes = codesOf(imageEmbedding(towers, f, x), texts, K);
      return { codes, embedding: tf.mul(texts, saysAny(text)) as tf.Tensor2D };
    },
  };
}

export function createTokensMicroBatch(
  spec: JobSpec,
  tokens: TokenModel,
  layout: Layout,
  image: PatchShape,
  { program }: { readonly program: MakeProgram },
  { dvae, clip }: FrozenNetworks,
): ComputeMicroBatch {
  invariant(dvae ?? clip, "rules give what draws codes a dvae, or a clip");
  const { of, code } = dvae ? byCodebook(dvae) : byBuckets(clip!, tokens.codes);
  const { patch } = of.spec.data;
  const { height, width, channels } = shuffleShape(image, patch);
  const kind = objectiveKind(spec.diffusion.objective);
  invariant(kind.asks === "tokens", `${spec.diffusion.objective} is a loss of tokens`);
  const loading = kind.load();

  const computation =
    (objective: TokensObjective, n: number, drawn: () => Drawn): Computation =>
    (feed, params) => {
      const own = params.slice(0, layout.tensors.length);
      const fixed = inference(named(of.network.params, params.slice(layout.tensors.length)));
      const x = feed([n, height, width, channels], "float32", () => drawn().x) as tf.Tensor4D;
      const text = feedText(feed, spec, n, () => drawn().text);
      const said = () => feedText(feed, spec, n, () => tokensOf(drawn().captions));
      const { codes, embedding } = code(fixed, x, text, said);
      const { value, grads } = tf.valueAndGrads((...learned: tf.Tensor[]) =>
        objective(tokens.next(inference(named(layout.tensors, learned)), text, codes, embedding)),
      )([...own]);
      return [value, ...grads];
    };

  let current: Drawn;
  const programs = programsBySize(program);
  return async (params, { step, index, pixels, labels, captions }, gradient) => {
    const objective = await loading;
    const n = labels.length;
    const text = await trainingText(spec, captions, { step, index }, readScenes);
    current = { x: normalise(pixels, image, patch), text: text!, captions: captions! };
    const all = [...params.tensors, ...of.params.tensors];
    const [loss] = await readGradient(
      programs(n, () => computation(objective, n, () => current)).run(all),
      layout.tensors,
      gradient,
    );
    return loss!;
  };
}
