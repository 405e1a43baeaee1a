// A pipeline of unCLIP: a clip, the prior that draws its embeddings, and the decoder that is told them.

import { expect, it } from "vitest";
import { checkPipeline } from "../../shared/stages/load.ts";

const DATA = { source: "captions:64", imageSize: 16, patch: 4 };
const OF_CLIP = { channels: 8, embedding: 6, text: { width: 8, layers: 1 } };
const clip = (name: string) => ({
  name,
  spec: {
    data: DATA,
    model: { type: "clip", ...OF_CLIP },
    diffusion: { objective: "contrastive" },
    training: { steps: 4 },
  },
});
const PRIOR = { data: DATA, model: { type: "prior", ...OF_CLIP }, diffusion: { predict: "x0" } };
const DECODER = { data: DATA, model: { channels: 8, groups: 4, embedding: 6 } };

/** @param of the clip of the prior. */
const stagesOf = (of: object) => {
  const prior = { name: "prior", spec: PRIOR, models: { clip: of } };
  const decoder = { name: "decoder", spec: DECODER, models: { clip: { stage: "clip" }, prior: { stage: "prior" } } };
  const value = {
    kind: "DiffusionPipeline",
    metadata: { name: "p" },
    spec: { stages: [decoder, prior, clip("clip"), clip("other")] },
  };
  return checkPipeline(value, "p.yaml", { jobOf: () => ({}) }).stages.map(({ name }) => name);
};

it("trains each after what it takes, where both take the same weights of one clip", () => {
  expect(stagesOf({ stage: "clip" })).toEqual(["clip", "prior", "decoder", "other"]);
  expect(stagesOf({ stage: "clip", step: 4 })).toEqual(["clip", "prior", "decoder", "other"]);
});

it("is refused a prior of another clip than the decoder's", () => {
  expect(() => stagesOf({ stage: "other" })).toThrow(
    "stage decoder: models.prior: stage prior draws embeddings of stage other (ema@4), models.clip is stage clip (ema@4); give both the same",
  );
  expect(() => stagesOf({ stage: "clip", weights: "raw" })).toThrow("stage clip (raw@4)");
});
