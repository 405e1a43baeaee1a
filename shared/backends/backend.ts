// The device contract: what plume asks of a TensorFlow.js backend before it trains on it.

import type { MakeProgram } from "../nn/program.ts";

export const BACKEND_NAMES = ["wasm", "tfjs-node", "tfjs-node-gpu", "webgpu"] as const;
export type BackendName = (typeof BACKEND_NAMES)[number];
export const BACKEND_CHOICES = ["auto", ...BACKEND_NAMES] as const;

/** What is alive of TensorFlow.js's tensors, on any device. */
interface TensorMemory {
  readonly tensors: number;
  readonly tensorBytes: number;
}

export function tensorMemory(tf: { memory(): { numTensors: number; numBytes: number } }): TensorMemory {
  const { numTensors, numBytes } = tf.memory();
  return { tensors: numTensors, tensorBytes: numBytes };
}

export interface Backend {
  readonly name: BackendName;
  /** For people: "wasm (XNNPACK, SIMD, 1 thread)". */
  readonly device: string;
  /** Bytes in use on the device heap and the most it may hold; the backend fails before the limit, never past it. */
  memory(): { readonly usedBytes: number; readonly limitBytes: number } & TensorMemory;
  /** @throws PlumeError RESOURCE_EXHAUSTED when the device's memory is used up, UNAVAILABLE when the device is gone. */
  check(): void;
  /** A computation that will run many times with other values: where the backend can, it is recorded once and replayed. */
  readonly program: MakeProgram;
}

/** One adapter: loads its native or wasm part, registers the kernels that TensorFlow.js lacks, makes it the current backend. */
export interface BackendAdapter {
  readonly name: BackendName;
  /** Reason why it cannot load here, or null. Cheap: used by `plume doctor` and `backend: auto`. */
  unavailable(): Promise<string | null>;
  /** False: it is here, but nobody would choose it. Asked only when it can load. */
  readonly worthwhile?: () => Promise<boolean>;
  /** @param threads that it may compute with; wasm has one. */
  open(threads: number): Promise<Backend>;
}
