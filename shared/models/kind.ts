// The contract of a network that a job may name.

import type { Network } from "../nn/network.ts";
import type { NetworkFields } from "./of-job.ts";

export interface NetworkKind {
  readonly about: string;
  /** What comes out of it: an image as large as its input, or logits of classes. Objectives are of one of them. */
  readonly gives: "image" | "classes";
  /** @returns what makes the network of a job. */
  load(): Promise<(fields: NetworkFields, channels: number) => Network>;
}
