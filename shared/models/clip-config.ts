// The settings of a clip, and those that a job comes to.

import { PlumeError } from "../errors.ts";
import type { Vocabulary } from "../nn/text-encoder.ts";
import type { TransformerConfig } from "../nn/transformer.ts";
import { headsOfWidth, type ImageShape, type NetworkFields, ownTextConfig } from "./of-job.ts";

export interface ClipConfig {
  readonly embedding: number;
  readonly vision: TransformerConfig & {
    /** Patches of an image, and the numbers of each: the network's own pixels. */
    readonly patches: number;
    readonly patchC: number;
  };
  /** Behind the numbers of its words are those of a caption's begin and end. */
  readonly text: TransformerConfig & Vocabulary;
}

/** The image tower is of the job's channels and layers, the text tower of its `text`; a patch is a pixel of the network. */
export function clipConfig({ data, model }: NetworkFields, { height, width, channels }: ImageShape): ClipConfig {
  const { patch } = data;
  const patches = (height / patch) * (width / patch);
  const text = ownTextConfig(model);
  if (!text || model.embedding === undefined)
    throw new PlumeError("INVALID_ARGUMENT", "model.type clip lacks model.text or model.embedding", {
      remedy: "set both: the tower of captions, and the dimensions of the space",
    });
  const { vocabulary, ...tower } = text;
  return {
    embedding: model.embedding,
    vision: {
      ...{ width: model.channels, layers: model.layers, heads: headsOfWidth(model) },
      ...{ patches, patchC: channels * patch * patch },
    },
    text: { ...tower, ...vocabulary },
  };
}
