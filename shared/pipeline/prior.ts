// A trained prior: from captions to CLIP's embeddings of images of them, by a diffusion of embeddings or code by code. Each is drawn more
// than once, and the one that is nearest to the caption's embedding is kept (Ramesh et al. 2022, Sec. 2.2). Embedding k depends on the
// weights, the seed, its caption and k alone.

import * as tf from "@tensorflow/tfjs-core";
import { ofLength } from "../diffusion/embeddings.ts";
import { bestOf } from "../guidance/best-of.ts";
import type { TokenModel } from "../nn/network.ts";
import type { MakeProgram } from "../nn/program.ts";
import { PURPOSE, type Purpose, uniforms } from "../rng/stream.ts";
import { isAdaptive, levelSampler } from "../samplers/index.ts";
import { tokensOf } from "../scenes/tokens.ts";
import { createDenoisers } from "./denoiser.ts";
import { draw } from "./draw.ts";
import { embeddingsOf } from "./embedding-codes.ts";
import type { FrozenNetwork } from "./frozen.ts";
import { imageRandom } from "./pixels.ts";
import { createTokenDrawing } from "./token-drawing.ts";
import type { Embedder } from "./towers.ts";

const CANDIDATES = 2;

interface PriorWanted {
  /** Which embeddings of the endless row. */
  readonly indices: readonly number[];
  /** One an embedding. */
  readonly captions: readonly string[];
  readonly seed: number;
}

/** @returns float32 [n, D], of length sqrt(D) each; the caller's to dispose. */
export type DrawEmbeddings = (wanted: PriorWanted) => Promise<tf.Tensor2D>;

/** What all candidates of a draw are told. */
interface Told extends Omit<PriorWanted, "captions"> {
  /** int32 [n L]. */
  readonly text: Int32Array;
  /** Of the captions: float32 [n D]. */
  readonly embedding: Float32Array;
}

/** The candidates of a number: n embeddings of D numbers, of any shape and length. */
type DrawCandidates = (told: Told, candidate: number) => Promise<tf.Tensor>;

/** By the sampler of the prior's own job. @param clip of the job's models.clip. */
export function createPrior(prior: FrozenNetwork, clip: Embedder, program: MakeProgram): DrawEmbeddings {
  const { spec, network } = prior;
  const D = spec.model.embedding!;
  const candidatesOf = network.tokens ? byCodes(prior, network.tokens, program) : byLevels(prior, program);

  const together: DrawEmbeddings = async ({ captions, ...wanted }) => {
    const text = tokensOf(captions);
    const ofCaptions = clip.texts(text);
    const told = { ...wanted, text, embedding: await ofCaptions.data<"float32">() };
    const drawn: tf.Tensor[] = [];
    for (let c = 0; c < CANDIDATES; c++) drawn.push(await candidatesOf(told, c));
    const best = tf.tidy(() => {
      const candidates = tf.stack(
        drawn.map((each) => ofLength(Math.sqrt(D))(tf.reshape(each, [-1, D]))),
        1,
      );
      return bestOf(ofCaptions, candidates).selected as tf.Tensor2D;
    });
    tf.dispose([ofCaptions, ...drawn]);
    return best;
  };

  return async (wanted) => {
    if (!isAdaptive(spec.sampling.sampler)) return together(wanted);
    // Its embeddings would depend on each other.
    const alone: tf.Tensor2D[] = [];
    for (const [i, index] of wanted.indices.entries())
      alone.push(await together({ ...wanted, indices: [index], captions: [wanted.captions[i]!] }));
    const all = tf.concat(alone, 0);
    tf.dispose(alone);
    return all;
  };
}

function byLevels(prior: FrozenNetwork, program: MakeProgram): DrawCandidates {
  const { spec } = prior;
  const { sampling } = spec;
  const D = spec.model.embedding!;
  const denoisers = createDenoisers({ ...prior, program });
  const x0 = { clip: false, transform: ofLength(Math.sqrt(D)) };
  return ({ indices, seed, text, embedding }, c) => {
    const denoise = denoisers({ labels: null, guidance: sampling.guidance, text, embedding });
    const random = (purpose: Purpose, step: number) =>
      imageRandom({ seed, purpose, step }, indices, { height: 1, width: 1, channels: D }, 1).normals();
    const start = random(PURPOSE.priorNoise, c);
    const noise = (call: number) => random(PURPOSE.priorStep, CANDIDATES * call + c);
    return draw(levelSampler(sampling.sampler), { ...sampling, spec, x0, denoise, start, noise });
  };
}

function byCodes(prior: FrozenNetwork, tokens: TokenModel, program: MakeProgram): DrawCandidates {
  const { guidance } = prior.spec.sampling;
  const drawTokens = createTokenDrawing({ ...prior, program }, tokens);
  return async ({ indices, seed, ...told }, c) => {
    const uniform = (at: number, i: number) => {
      const key = { seed, purpose: PURPOSE.priorCode, step: CANDIDATES * at + c, index: indices[i]! };
      const [u] = uniforms(key, 1);
      // The dot product from the upper half of its distribution: such captions describe their images better.
      return at === 0 ? (1 + u!) / 2 : u!;
    };
    const codes = await drawTokens({ ...told, count: indices.length, guidance, uniform });
    return embeddingsOf(codes, tokens.length - 1, tokens.codes);
  };
}
