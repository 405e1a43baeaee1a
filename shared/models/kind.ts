// The contract of a network that a job may name.

import type { Network } from "../nn/network.ts";
import type { ImageShape, NetworkFields } from "./of-job.ts";

export interface NetworkKind {
  readonly about: string;
  /** What comes out of it: an image as large as its input, or logits of classes. Objectives are of one of them. */
  readonly gives: "image" | "classes";
  /** Its feature maps come in several sizes: what a job says of levels, groups and attention is of them. */
  readonly pyramid?: true;
  /** It may be told its image at a lower resolution. */
  readonly lowRes?: true;
  /** It may read captions. */
  readonly text?: true;
  /** @returns what makes the network of a job. */
  load(): Promise<(fields: NetworkFields, image: ImageShape) => Network>;
}
