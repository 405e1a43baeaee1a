// Rules of CLIP's embeddings: what learns them, what draws them, and what is told them.

import { ALWAYS_EMBED, ALWAYS_READ, denoises, EMBEDDERS, EMBEDDING_DRAWN, MAKERS } from "../models/index.ts";
import { conditionRules } from "./condition-rules.ts";
import { DENOISES } from "./generator-rules.ts";
import { quoted, type Rule, unless } from "./rule.ts";

export const EMBEDDING_RULES: readonly Rule[] = [
  ...conditionRules("embedding", EMBEDDERS),
  {
    path: ["model", "embedding"],
    faults: ({ model: { type, embedding } }) =>
      unless(
        embedding !== undefined || !ALWAYS_EMBED.includes(type),
        () => `is what a ${type} is about; set the dimensions of CLIP's embeddings`,
      ),
    cel: {
      holds: `has(self.model.embedding) || !(self.model.type in ${quoted(ALWAYS_EMBED)})`,
      message: "'is what a %s is about; set the dimensions of CLIP\\'s embeddings'.format([self.model.type])",
    },
  },
  {
    path: ["model", "text"],
    faults: ({ model: { type, text } }) =>
      unless(
        text !== undefined || !ALWAYS_READ.includes(type),
        () => `is what a ${type} reads captions by; set it, {} for its defaults`,
      ),
    cel: {
      holds: `has(self.model.text) || !(self.model.type in ${quoted(ALWAYS_READ)})`,
      message: "'is what a %s reads captions by; set it, {} for its defaults'.format([self.model.type])",
    },
  },
  {
    path: ["models", "clip"],
    faults: ({ model: { type, embedding }, models: { clip } }) =>
      unless(
        clip !== undefined || embedding === undefined || MAKERS.includes(type),
        () => "is what model.embedding is of; set models.clip.from to a trained clip",
      ),
    cel: {
      holds: `has(self.models.clip) || !has(self.model.embedding) || self.model.type in ${quoted(MAKERS)}`,
      message: "'is what model.embedding is of; set models.clip.from to a trained clip'",
    },
  },
  {
    path: ["models", "clip"],
    faults: ({ model: { type, embedding }, models: { clip } }) =>
      unless(
        clip === undefined || (embedding !== undefined && !MAKERS.includes(type)),
        () => `is told to no ${type} without model.embedding, and to no clip; set that, or leave clip out`,
      ),
    cel: {
      holds: `!has(self.models.clip) || (has(self.model.embedding) && !(self.model.type in ${quoted(MAKERS)}))`,
      message:
        "'is told to no %s without model.embedding, and to no clip; set that, or leave clip out'.format([self.model.type])",
    },
  },
  {
    path: ["training", "microBatch"],
    faults: ({ model: { type }, training: { microBatch } }) =>
      unless(
        microBatch !== 1 || !MAKERS.includes(type),
        () => `${microBatch}: a ${type} tells a sample from the others of its micro-batch; choose 2 or more`,
      ),
    cel: {
      holds: `self.training.microBatch != 1 || !(self.model.type in ${quoted(MAKERS)})`,
      message:
        "'%d: a %s tells a sample from the others of its micro-batch; choose 2 or more'.format([self.training.microBatch, self.model.type])",
    },
  },
  {
    path: ["sampling", "threshold"],
    faults: ({ model: { type }, sampling: { threshold } }) =>
      unless(
        threshold === undefined || !EMBEDDING_DRAWN.includes(type),
        () => `${threshold} is of images; a ${type} brings embeddings to their length, so leave it out`,
      ),
    cel: {
      holds: `!has(self.sampling.threshold) || !(self.model.type in ${quoted(EMBEDDING_DRAWN)})`,
      message:
        "'%s is of images; a %s brings embeddings to their length, so leave it out'.format([self.sampling.threshold, self.model.type])",
    },
  },
  {
    path: ["models", "prior"],
    faults: ({ model: { type, embedding }, models: { prior } }) =>
      unless(
        prior === undefined || (denoises(type) && embedding !== undefined),
        () => `draws what a ${type} is not told; leave it out, or set model.embedding of a unet`,
      ),
    cel: {
      holds: `!has(self.models.prior) || (${DENOISES} && has(self.model.embedding))`,
      message:
        "'draws what a %s is not told; leave it out, or set model.embedding of a unet'.format([self.model.type])",
    },
  },
  {
    path: ["model", "embedding"],
    faults: ({ model: { embedding, lowRes } }) =>
      unless(
        embedding === undefined || lowRes === undefined,
        () => `${embedding} beside model.lowRes: an upsampler is told its image alone; leave one of them out`,
      ),
    cel: {
      holds: "!has(self.model.embedding) || !has(self.model.lowRes)",
      message:
        "'%d beside model.lowRes: an upsampler is told its image alone; leave one of them out'.format([self.model.embedding])",
    },
  },
];
