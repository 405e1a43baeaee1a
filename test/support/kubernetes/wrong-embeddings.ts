// Jobs with a mistake in what they say of CLIP's embeddings: shared/config/embedding-rules.ts.

import { ALL_STEPS, CAPTIONS, CHAIN_OF_IMAGES, TEXT, type WrongJob, wrong } from "./wrong-job.ts";

/** Of a job of CLIP's embeddings. */
export const CLIP = { from: "file://runs/clip" };
const PRIOR = { type: "prior", text: TEXT };

export const AGAINST_EMBEDDINGS: readonly WrongJob[] = [
  wrong(
    { model: { type: "mlp", embedding: 48 }, models: { clip: CLIP } },
    "spec.model.embedding: Forbidden: is not read by a mlp; leave it out, or choose unet or clip or prior or ar-prior",
  ),
  wrong(
    { model: { embedding: 48 }, models: { clip: CLIP }, diffusion: CHAIN_OF_IMAGES, sampling: ALL_STEPS },
    "spec.model.embedding: Forbidden: is not told to the steps of nonequilibrium; leave it out, or choose another process",
  ),
  wrong(
    { data: CAPTIONS, model: { type: "clip", text: TEXT }, diffusion: { objective: "contrastive" } },
    "spec.model.embedding: Forbidden: is what a clip is about; set the dimensions of CLIP's embeddings",
  ),
  wrong(
    { data: CAPTIONS, model: { type: "prior", embedding: 48 }, models: { clip: CLIP } },
    "spec.model.text: Forbidden: is what a prior reads captions by; set it, {} for its defaults",
  ),
  wrong(
    { data: CAPTIONS, model: { ...PRIOR, embedding: 48 } },
    "spec.models.clip: Forbidden: is what model.embedding is of; set models.clip.from to a trained clip",
  ),
  wrong(
    { models: { clip: CLIP } },
    "spec.models.clip: Forbidden: is told to no unet without model.embedding, and to no clip; set that, or leave clip out",
  ),
  wrong(
    {
      ...{
        data: CAPTIONS,
        model: { type: "clip", embedding: 48, text: TEXT },
        diffusion: { objective: "contrastive" },
      },
      training: { globalBatch: 1, microBatch: 1 },
    },
    "spec.training.microBatch: Forbidden: 1: a clip tells a sample from the others of its micro-batch; choose 2 or more",
  ),
  wrong(
    {
      ...{ data: CAPTIONS, model: { ...PRIOR, embedding: 48 }, models: { clip: CLIP } },
      sampling: { threshold: "dynamic" },
    },
    "spec.sampling.threshold: Forbidden: dynamic is of images; a prior brings embeddings to their length, so leave it out",
  ),
  wrong(
    { models: { prior: { from: "file://runs/prior" } } },
    "spec.models.prior: Forbidden: draws what a unet is not told; leave it out, or set model.embedding of a unet",
  ),
  wrong(
    { model: { embedding: 48, lowRes: { size: 14 } }, models: { clip: CLIP } },
    "spec.model.embedding: Forbidden: 48 beside model.lowRes: an upsampler is told its image alone; leave one of them out",
  ),
];
