// What a worker's two threads say to each other. Tensors are never in these messages: parameters and results lie in
// shared memory, pixels are transferred.

import type { ErrorCode } from "../shared/errors.ts";
import type { FrozenModels } from "../shared/frozen/read.ts";
import type { DeviceFigures } from "../shared/metrics/worker/source.ts";
import type { HeldOut } from "../shared/pipeline/held-out.ts";
import type { Layout } from "../shared/tensor/layout.ts";
import type { Block } from "../shared/tensor/tree.ts";

interface ImageShape {
  readonly height: number;
  readonly width: number;
  readonly channels: number;
}

/** What the device is opened for. */
export interface ComputeInit {
  readonly jobYaml: string;
  readonly image: ImageShape;
  /** Their weights lie in shared memory. */
  readonly frozen: FrozenModels;
  /** Of an upsampler: what its sample grid is drawn from. */
  readonly heldOut: HeldOut | undefined;
  /** For native code, which reads it once, and which the main thread alone can tell. */
  readonly environment: Readonly<Record<string, string>>;
}

/** Data of the compute thread at its start. */
export interface ComputeThreadData {
  /** Id of the newest request that nobody waits for any more; written by the main thread. */
  readonly revoked: Int32Array;
}

/** One micro-batch as the loader delivers it: uint8 [n, H, W, C] and int32 [n]. */
export interface RawBatch {
  readonly index: number;
  readonly pixels: Uint8Array;
  readonly labels: Int32Array;
  readonly captions?: readonly string[];
}

export type ComputeRequest =
  /** The first one: nothing else is understood before it. */
  | { readonly kind: "open"; readonly id: number; readonly init: ComputeInit }
  | { readonly kind: "canary"; readonly id: number }
  /** What lies at `landing` is new: make it the device's parameters, if it has this digest. */
  | { readonly kind: "load"; readonly id: number; readonly digest: string }
  | {
      readonly kind: "gradient";
      readonly id: number;
      readonly step: number;
      readonly block: Block;
      readonly batches: readonly RawBatch[];
      /** Of the time steps, float64 [T]; absent where all are alike. */
      readonly weights: Float64Array | undefined;
    }
  | { readonly kind: "sample"; readonly id: number; readonly from: number; readonly to: number }
  /** The result with this id has been sent: its memory may be reused. */
  | { readonly kind: "release"; readonly id: number };

export interface ComputeReady {
  readonly kind: "ready";
  readonly id: number;
  readonly backend: string;
  readonly device: string;
  readonly layout: Layout;
  /** float32 [layout.size] in shared memory of the compute thread: where vectors arrive. */
  readonly landing: Float32Array;
}

export type ComputeReply =
  | ComputeReady
  | { readonly kind: "progress"; readonly id: number; readonly done: number; readonly seconds: number }
  | { readonly kind: "canary"; readonly id: number; readonly digest: string }
  | { readonly kind: "loaded"; readonly id: number }
  | {
      readonly kind: "gradient";
      readonly id: number;
      /** The partial sum as the wire carries it, shard by shard, on shared memory until it is released. */
      readonly payload: readonly Uint8Array[];
      /** Of the sum itself. */
      readonly digest: string;
      readonly losses: readonly number[];
      /** Of each sample, not weighted: float32, of a job that draws time steps by them. */
      readonly sampleLosses?: Float32Array | undefined;
      readonly seconds: Readonly<Record<string, number>>;
      /** With every block, so that whoever asks for it does not have to wait for this thread. */
      readonly device: DeviceFigures;
    }
  | {
      readonly kind: "sample";
      readonly id: number;
      readonly pixels: Uint8Array;
      readonly seconds: Readonly<Record<string, number>>;
    }
  | {
      readonly kind: "error";
      readonly id: number;
      readonly code: ErrorCode;
      readonly message: string;
      readonly remedy: string | undefined;
    };
