// Who reads models and draws of them: a command by processes of its own, a server by those that it keeps.

import type { Weights } from "../../../../shared/config/models.ts";
import type { ReadModel } from "../../../../shared/interop/load-model.ts";
import type { Wanted } from "../../drawing/batches.ts";
import type { Beside } from "../../drawing/messages.ts";
import type { readBeside } from "./beside.ts";

export interface ImagesWanted extends Wanted {
  readonly beside: Beside;
}

export interface Hands {
  readonly signal: AbortSignal;
  read(checkpoint: string, weights: Weights | undefined): Promise<ReadModel>;
  readonly beside: typeof readBeside;
  /** @returns uint8 [count, H, W, C], and how many processes drew them. */
  draw(model: ReadModel, wanted: ImagesWanted): Promise<{ readonly pixels: Uint8Array; readonly workers: number }>;
  /** A line for whoever waits. */
  note(line: string): void;
}
