// What a command and its drawers say to each other. Arrays travel as they are: structured clones, not JSON.

import type { BackendName } from "../../../shared/backends/backend.ts";
import type { ErrorCode } from "../../../shared/errors.ts";
import type { EncoderWeights } from "../../../shared/pipeline/caption-encoder.ts";
import type { FrozenWeights } from "../../../shared/pipeline/frozen.ts";
import type { Generate } from "../../../shared/pipeline/generate.ts";

/** The other models that one draws with. */
export interface Beside {
  readonly classifier?: FrozenWeights | undefined;
  /** Of a model whose job names a text encoder. */
  readonly text?: EncoderWeights | undefined;
  /** Of a decoder of CLIP's embeddings. */
  readonly clip?: FrozenWeights | undefined;
  readonly prior?: FrozenWeights | undefined;
  /** Of what draws codes. */
  readonly dvae?: FrozenWeights | undefined;
}

/** What draws, whatever its weights. */
export interface Drawing {
  readonly backend: BackendName;
  readonly model: Pick<FrozenWeights, "spec" | "image">;
  readonly beside: Beside;
}

/** A batch. */
export type DrawerWanted = Omit<Parameters<Generate>[0], "onStep">;

export type DrawerRequest =
  | { readonly kind: "open"; readonly drawing: Drawing }
  /** float32 [layout.size]: from now on the model's weights. */
  | { readonly kind: "load"; readonly flat: Float32Array }
  | { readonly kind: "draw"; readonly wanted: DrawerWanted }
  /** The batch in the making, if there is one, fails at its next step. Has no reply of its own. */
  | { readonly kind: "cancel" };

export interface Drawn {
  /** uint8 [n, H, W, C]. */
  readonly pixels: Uint8Array;
  /** Of the network, times images. */
  readonly evaluations: number;
}

export type DrawerReply =
  | { readonly kind: "ready" }
  /** Steps of the batch. */
  | { readonly kind: "progress"; readonly done: number; readonly total: number }
  | ({ readonly kind: "drawn" } & Drawn)
  | {
      readonly kind: "failed";
      readonly code: ErrorCode;
      readonly message: string;
      readonly remedy: string | undefined;
    };
