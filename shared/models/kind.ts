// The contract of a network that a job may name.

import type { Gives, Network } from "../nn/network.ts";
import type { ImageShape, NetworkFields } from "./of-job.ts";

export interface NetworkKind {
  readonly about: string;
  /**
   * What comes out of it: an image as large as its input, or logits of classes, or a game of two networks, or a bound on the density
   * of its input, or that density, or features of images and captions in one space, or an embedding of that space, or the codes of an
   * image, or of an embedding. Objectives are of some of them.
   */
  readonly gives: Gives;
  /** Its feature maps come in several sizes: what a job says of levels is of them; of groups and attention too unless they are plain. */
  readonly pyramid?: "plain" | "attentive";
  /** It may be told its image at a lower resolution. */
  readonly lowRes?: true;
  /** It can be told how an image was augmented. */
  readonly augments?: true;
  /** It may read captions, or does in any case. */
  readonly text?: true | "always";
  /** It may be told an embedding of CLIP's, is in any case, or makes them. */
  readonly embedding?: true | "always" | "makes";
  /** It codes images by a codebook, whose codes another network may draw. */
  readonly codebook?: true;
  /** @returns what makes the network of a job. */
  load(): Promise<(fields: NetworkFields, image: ImageShape) => Network>;
}
