// What a command and its drawers say to each other. Arrays travel as they are: structured clones, not JSON.

import type { BackendName } from "../../../shared/backends/backend.ts";
import type { ErrorCode } from "../../../shared/errors.ts";
import type { FrozenWeights } from "../../../shared/pipeline/frozen.ts";
import type { Generate } from "../../../shared/pipeline/generate.ts";

/** What is drawn from. */
export interface Drawing {
  readonly backend: BackendName;
  readonly model: FrozenWeights;
  readonly classifier: FrozenWeights | undefined;
}

/** A batch. */
export type DrawerWanted = Omit<Parameters<Generate>[0], "onStep">;

export type DrawerRequest =
  | { readonly kind: "open"; readonly drawing: Drawing }
  | { readonly kind: "draw"; readonly wanted: DrawerWanted };

export type DrawerReply =
  | { readonly kind: "ready" }
  /** Steps of the batch. */
  | { readonly kind: "progress"; readonly done: number; readonly total: number }
  /** uint8 [n, H, W, C]. */
  | { readonly kind: "drawn"; readonly pixels: Uint8Array }
  | {
      readonly kind: "failed";
      readonly code: ErrorCode;
      readonly message: string;
      readonly remedy: string | undefined;
    };
