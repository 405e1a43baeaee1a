// What a coordinator and its reducer processes say to each other, over Node's IPC channel. No tensor is in a message:
// kernels are ordered by address, bytes come from workers or from files.

import type { ErrorCode } from "../../shared/errors.ts";
import type { KernelCall, KernelResult, Region, Source } from "../../shared/kernels/group.ts";
import type { Shard } from "../../shared/tensor/layout.ts";

export interface ReducerInit {
  /** HOST:PORT to listen on for workers; port 0 for any. */
  readonly listen: string;
  readonly shards: readonly Shard[];
  readonly threads: number;
}

/** The run that a reducer belongs to. */
export interface ReducerRun {
  readonly job: string;
  readonly incarnation: number;
  readonly logFile: string;
  /** Address of its metrics. */
  readonly metricsHost: string;
}

/** What is said, before it has the id of the request. */
export type Unnumbered<Message> = Message extends { id: number } ? Omit<Message, "id"> : never;

export type ReducerRequest = { readonly id: number } & (
  | { readonly kind: "open"; readonly init: ReducerInit }
  /** Whose vectors these are: what workers name in their calls. */
  | { readonly kind: "join"; readonly run: ReducerRun }
  /** Pulls get the vectors as they are, as this version. */
  | { readonly kind: "serve"; readonly version: number }
  | { readonly kind: "reserve"; readonly count: number }
  | { readonly kind: "run"; readonly calls: readonly (readonly KernelCall[])[] }
  | { readonly kind: "fill"; readonly regions: readonly Region[]; readonly source: Source }
  /** Nobody waits for this push any more. */
  | { readonly kind: "forget"; readonly key: string }
  | { readonly kind: "save"; readonly regions: readonly Region[]; readonly file: string }
);

export type ReducerReply = { readonly id: number } & (
  | { readonly kind: "opened"; readonly port: number; readonly threads: number }
  | { readonly kind: "joined"; readonly metricsPort: number }
  | { readonly kind: "done" }
  | { readonly kind: "results"; readonly results: readonly KernelResult[] }
  | { readonly kind: "filled"; readonly bytes: number }
  | {
      readonly kind: "error";
      readonly code: ErrorCode;
      readonly message: string;
      readonly remedy: string | undefined;
    }
);
