// The wasm backend: XNNPACK in WebAssembly, one thread, the same bits on every machine. Installs with npm alone, so it
// is the default where nothing faster is there. Registers the training kernels that TensorFlow.js lacks or has wrong.

import { createRequire } from "node:module";
import { dirname, sep } from "node:path";
import { PlumeError } from "../errors.ts";
import type { Backend, BackendAdapter } from "./backend.ts";

/** The heap may grow to 4 GiB; beyond its end tfjs writes to address 0 instead of failing, so plume stops well before. */
export const WASM_HEAP_LIMIT = 3 * 2 ** 30;

export const wasm: BackendAdapter = {
  name: "wasm",
  async unavailable() {
    try {
      packageFolder();
      return typeof WebAssembly === "undefined" ? "this Node has no WebAssembly" : null;
    } catch {
      return "@tensorflow/tfjs-backend-wasm is not installed; run npm ci";
    }
  },
  open: () => openWasm(),
};

let opened: Promise<Backend> | null = null;

/** Opens once a thread; later calls return the same backend. @throws PlumeError UNAVAILABLE when it does not start. */
export function openWasm(limitBytes: number = WASM_HEAP_LIMIT): Promise<Backend> {
  opened ??= start(limitBytes);
  return opened;
}

async function start(limitBytes: number): Promise<Backend> {
  const tf = await import("@tensorflow/tfjs-core");
  const { setWasmPaths } = await import("@tensorflow/tfjs-backend-wasm");
  const { openHeapKernels } = await import("./wasm-kernels/heap.ts");
  const { registerKernels } = await import("./wasm-kernels/index.ts");
  const { registerGradients } = await import("./gradients/index.ts");
  setWasmPaths(packageFolder() + sep);
  if (!(await tf.setBackend("wasm")) || tf.getBackend() !== "wasm")
    throw new PlumeError("UNAVAILABLE", "the wasm backend of TensorFlow.js did not start", {
      remedy: "run npm ci again; it needs WebAssembly SIMD",
    });
  const inside = tf.backend() as unknown as Parameters<typeof openHeapKernels>[0];
  registerGradients();
  registerKernels(openHeapKernels(inside));
  const memory = () => ({ usedBytes: inside.wasm.HEAPU8.length, limitBytes });
  return {
    name: "wasm",
    device: "wasm (XNNPACK, SIMD, 1 thread)",
    memory,
    checkMemory: () => guardHeap(memory().usedBytes, limitBytes),
  };
}

/** @throws PlumeError RESOURCE_EXHAUSTED naming both figures. */
export function guardHeap(usedBytes: number, limitBytes: number): void {
  if (usedBytes <= limitBytes) return;
  throw new PlumeError(
    "RESOURCE_EXHAUSTED",
    `the wasm heap has grown to ${megabytes(usedBytes)}, its budget is ${megabytes(limitBytes)}`,
    {
      remedy: "lower training.microBatch or model.channels",
    },
  );
}

const megabytes = (bytes: number) => `${Math.round(bytes / 2 ** 20)} MiB`;

function packageFolder(): string {
  return dirname(createRequire(import.meta.url).resolve("@tensorflow/tfjs-backend-wasm"));
}
