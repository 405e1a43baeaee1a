// Pipelines of a clip: unCLIP's, with the prior that draws its embeddings and the decoder that is told them; and Imagen's, whose text
// encoder it is.

import { expect, it } from "vitest";
import { parse } from "yaml";
import { checkStages } from "../../shared/stages/fits.ts";
import { checkPipeline, dumpPipeline, jobWith } from "../../shared/stages/load.ts";

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

const pipelineOf = (stages: readonly object[]) =>
  checkPipeline({ kind: "DiffusionPipeline", metadata: { name: "p" }, spec: { stages } }, "p.yaml", {
    jobOf: () => ({}),
  });

/** @param of the clip of the prior. */
const stagesOf = (of: object) => {
  const prior = { name: "prior", spec: PRIOR, models: { clip: of } };
  const decoder = { name: "decoder", spec: DECODER, models: { clip: { stage: "clip" }, prior: { stage: "prior" } } };
  return pipelineOf([decoder, prior, clip("clip"), clip("other")]).stages.map(({ name }) => name);
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

const READER = {
  data: DATA,
  model: { channels: 8, groups: 4, text: { width: 8 } },
  models: { text: { from: "file:///its/own", sha256: "b".repeat(64), length: 10 } },
};
const reader = (stage: string) => ({ name: "reader", spec: READER, models: { text: { stage } } });

it("makes it the text encoder of a stage, which says itself how many tokens it reads", async () => {
  const pipeline = pipelineOf([reader("clip"), clip("clip")]);
  await checkStages(pipeline);
  const { models } = jobWith(pipeline.stages[1]!, () => ({ from: "file:///x", sha256: undefined })).spec;
  expect(models).toEqual({ text: { from: "file:///x", weights: "ema", length: 10 } });
  expect(checkPipeline(parse(dumpPipeline(pipeline)), "p.yaml", { jobOf: () => ({}) })).toEqual(pipeline);
});

it("is refused a text encoder that is none, by its stage and field", async () => {
  const prior = { name: "prior", spec: PRIOR, models: { clip: { stage: "clip" } } };
  await expect(checkStages(pipelineOf([reader("prior"), prior, clip("clip")]))).rejects.toThrow(
    "stage reader: models.text: stage prior does not fit this job:\n  model.type: the model is a prior, and no clip",
  );
});
