// Several images of each caption, of which a clip keeps the one that is nearest to it: Ramesh et al. 2021 (DALL-E), Sec. 2.6.

import type { BackendName } from "../../../../shared/backends/backend.ts";
import { openBackend } from "../../../../shared/backends/index.ts";
import type { JobSpec } from "../../../../shared/config/schema.ts";
import { PlumeError } from "../../../../shared/errors.ts";
import { flatOf, type ReadModel, readModel } from "../../../../shared/interop/load-model.ts";
import { NETWORKS } from "../../../../shared/models/index.ts";
import { onDevice } from "../../../../shared/pipeline/frozen.ts";
import { createEmbedder, numbersOf } from "../../../../shared/pipeline/towers.ts";
import { tokensOf } from "../../../../shared/scenes/tokens.ts";
import type { Wanted } from "../../drawing/batches.ts";
import { wholeNumber } from "../../options.ts";

export interface RerankOptions {
  readonly rerank?: string;
  readonly candidates?: string;
}

export const RERANK_OPTIONS = [
  ["--rerank <clip>", "of what captions say: a clip that keeps of several images of each the nearest to its caption"],
  ["--candidates <n>", "images that it keeps one of (default: 4)"],
] as const;

const CANDIDATES = 4;

/** What can be checked before the model is known. @throws PlumeError INVALID_ARGUMENT. */
export function parseRerank({ rerank, candidates }: RerankOptions) {
  if (rerank !== undefined)
    return { rerank, candidates: candidates === undefined ? CANDIDATES : wholeNumber("--candidates", candidates, 2) };
  if (candidates === undefined) return undefined;
  throw new PlumeError("INVALID_ARGUMENT", `--candidates ${candidates} is of what a clip chooses from`, {
    remedy: "add --rerank CLIP, or leave it out; --count says how many images there shall be",
  });
}

/** Draws more than are wanted, and keeps some. */
export interface Reranking {
  readonly told: { readonly rerank: string; readonly candidates: number };
  widened<W extends Wanted>(wanted: W): W;
  /** @param pixels of what was widened. @returns those that are kept, uint8 [count, H, W, C]. */
  keep(pixels: Uint8Array, wanted: Wanted): Promise<Uint8Array>;
}

/** @throws PlumeError for a model whose images no caption is of, and for a clip that does not see such images. */
export async function openReranking(
  checkpoint: string,
  { job: { spec }, imageSet }: ReadModel,
  asked: ReturnType<typeof parseRerank>,
  backend: BackendName,
): Promise<Reranking | undefined> {
  if (!asked) return undefined;
  const { rerank, candidates } = asked;
  checkCaptioned(checkpoint, spec, rerank);
  const clip = await readModel(rerank, undefined);
  checkClip(rerank, clip, imageSet);
  const { height, width, channels } = imageSet;
  const image = { height, width, channels };
  const { flat } = await flatOf(clip);
  const own = (indices: readonly number[]) => indices.map((k) => Math.floor(k / candidates));
  return {
    told: { rerank: clip.at, candidates },
    widened(wanted) {
      const { count, labelsOf, captionsOf } = wanted;
      tokensOf(captionsOf!(every(count)), `--rerank ${rerank}: the caption`);
      return {
        ...wanted,
        count: count * candidates,
        labelsOf: (indices) => labelsOf(own(indices)),
        captionsOf: (indices) => captionsOf!(own(indices)),
      };
    },
    async keep(pixels, { count, captionsOf }) {
      const { program } = await openBackend(backend);
      const embedder = createEmbedder(await onDevice({ spec: clip.job.spec, image, flat }), image, program);
      const captions = captionsOf!(every(count));
      const texts = await numbersOf(embedder.texts(tokensOf(captions)));
      const size = height * width * channels;
      const kept = new Uint8Array(count * size);
      for (let k = 0; k < count; k++) {
        const own = pixels.slice(k * candidates * size, (k + 1) * candidates * size);
        const best = nearest(texts, k, await numbersOf(embedder.images(own)), candidates);
        kept.set(own.subarray(best * size, (best + 1) * size), k * size);
      }
      return kept;
    },
  };
}

const every = (n: number): number[] => Array.from({ length: n }, (_, k) => k);

/** Which of n embeddings has the largest cosine with caption k's; all are of one length. */
function nearest(texts: Float32Array, k: number, images: Float32Array, n: number): number {
  const D = images.length / n;
  const scores = Array.from({ length: n }, (_, i) =>
    images.subarray(i * D, (i + 1) * D).reduce((sum, value, d) => sum + value * texts[k * D + d]!, 0),
  );
  return scores.indexOf(Math.max(...scores));
}

function checkCaptioned(checkpoint: string, { model }: JobSpec, rerank: string): void {
  if (model.lowRes)
    throw new PlumeError("INVALID_ARGUMENT", `--rerank ${rerank}: ${checkpoint} is an upsampler`, {
      remedy:
        "write the base's images first, reranked (plume sample BASE --rerank CLIP -o base.npy), then name them: --images",
    });
  if (model.text || model.embedding !== undefined) return;
  throw new PlumeError("INVALID_ARGUMENT", `--rerank ${rerank}: ${checkpoint} reads no captions to compare with`, {
    remedy: "leave it out, or name a run whose job has model.text or model.embedding",
  });
}

function checkClip(rerank: string, { job, imageSet }: ReadModel, images: ReadModel["imageSet"]): void {
  const { type } = job.spec.model;
  if (NETWORKS[type].gives !== "features")
    throw new PlumeError("FAILED_PRECONDITION", `--rerank ${rerank} is a ${type}, and no clip`, {
      remedy: "name a run of deploy/jobs/clip.yaml",
    });
  const shape = ({ height, width, channels }: ReadModel["imageSet"]) => `${width}x${height}x${channels}`;
  if (shape(imageSet) === shape(images)) return;
  throw new PlumeError(
    "FAILED_PRECONDITION",
    `--rerank ${rerank} sees images of ${shape(imageSet)}, these are ${shape(images)}`,
    {
      remedy: "name a clip that was trained on images of their size",
    },
  );
}
