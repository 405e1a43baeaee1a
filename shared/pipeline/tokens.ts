// A micro-batch of a network that learns the tokens of captions and the codes of their images, which a frozen dvae gives: a function of
// its samples and of both networks' parameters.

import * as tf from "@tensorflow/tfjs-core";
import type { JobSpec } from "../config/schema.ts";
import type { PatchShape } from "../data/patch.ts";
import { invariant } from "../invariant.ts";
import type { TokenModel } from "../nn/network.ts";
import { type Computation, type MakeProgram, programsBySize } from "../nn/program.ts";
import { objectiveKind } from "../objectives/index.ts";
import type { TokensObjective } from "../objectives/objective.ts";
import type { Layout } from "../tensor/layout.ts";
import { type CaptionNumbers, feedText, readScenes, trainingText } from "./captions.ts";
import { inference, named } from "./device-params.ts";
import type { FrozenNetwork } from "./frozen.ts";
import { normalise } from "./images.ts";
import type { ComputeMicroBatch } from "./micro-batch.ts";
import { readGradient } from "./read-gradient.ts";
import { shuffleShape } from "./shape.ts";

interface Drawn {
  /** float32 [n, h, w, c], as the dvae sees it. */
  readonly x: Float32Array;
  readonly text: CaptionNumbers;
}

export function createTokensMicroBatch(
  spec: JobSpec,
  tokens: TokenModel,
  layout: Layout,
  image: PatchShape,
  { program }: { readonly program: MakeProgram },
  dvae: FrozenNetwork | undefined,
): ComputeMicroBatch {
  const codebook = dvae?.network.codebook;
  invariant(dvae && codebook, "rules give what draws codes a dvae");
  const { patch } = dvae.spec.data;
  const { height, width, channels } = shuffleShape(image, patch);
  const kind = objectiveKind(spec.diffusion.objective);
  invariant(kind.asks === "tokens", `${spec.diffusion.objective} is a loss of tokens`);
  const loading = kind.load();

  const computation =
    (objective: TokensObjective, n: number, drawn: () => Drawn): Computation =>
    (feed, params) => {
      const own = params.slice(0, layout.tensors.length);
      const fixed = inference(named(dvae.network.params, params.slice(layout.tensors.length)));
      const x = feed([n, height, width, channels], "float32", () => drawn().x) as tf.Tensor4D;
      const codes = codebook.encode(fixed, x, null);
      const text = feedText(feed, spec, n, () => drawn().text);
      const { value, grads } = tf.valueAndGrads((...learned: tf.Tensor[]) =>
        objective(tokens.next(inference(named(layout.tensors, learned)), text, codes)),
      )([...own]);
      return [value, ...grads];
    };

  let current: Drawn;
  const programs = programsBySize(program);
  return async (params, { step, index, pixels, labels, captions }, gradient) => {
    const objective = await loading;
    const n = labels.length;
    const text = await trainingText(spec, captions, { step, index }, readScenes);
    current = { x: normalise(pixels, image, patch), text: text! };
    const all = [...params.tensors, ...dvae.params.tensors];
    const [loss] = await readGradient(
      programs(n, () => computation(objective, n, () => current)).run(all),
      layout.tensors,
      gradient,
    );
    return loss!;
  };
}
