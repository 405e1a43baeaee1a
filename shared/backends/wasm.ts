// The wasm backend: XNNPACK in WebAssembly, one thread, the same bits on every machine. Installs with npm alone, so it
// is the default where nothing faster is there. Registers the training kernels that TensorFlow.js lacks or has wrong.

import { createRequire } from "node:module";
import { dirname, join, sep } from "node:path";
import { PlumeError } from "../errors.ts";
import { type Backend, type BackendAdapter, tensorMemory } from "./backend.ts";
import type { WasmBackend } from "./wasm-kernels/heap.ts";
import { planProgram } from "./wasm-plan.ts";

/** The heap may grow to 4 GiB; beyond its end tfjs writes to address 0 instead of failing, so plume stops well before. */
const WASM_HEAP_LIMIT = 3 * 2 ** 30;

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

let opened: { readonly limitBytes: number; readonly backend: Promise<Backend> } | null = null;

/**
 * Opens the one backend of this thread; later calls return it.
 * @param limitBytes the most its heap may hold. A tensor beyond that throws RESOURCE_EXHAUSTED.
 * @throws PlumeError UNAVAILABLE when it does not start; FAILED_PRECONDITION when it is open with another budget.
 */
export async function openWasm(limitBytes: number = WASM_HEAP_LIMIT): Promise<Backend> {
  opened ??= { limitBytes, backend: start(limitBytes) };
  if (opened.limitBytes !== limitBytes)
    throw new PlumeError(
      "FAILED_PRECONDITION",
      `the wasm backend is open with a budget of ${opened.limitBytes} bytes, not ${limitBytes}`,
      { remedy: "open it once a thread" },
    );
  return opened.backend;
}

async function start(limitBytes: number): Promise<Backend> {
  const tf = await import("@tensorflow/tfjs-core");
  const { setWasmPaths } = await import("@tensorflow/tfjs-backend-wasm");
  const { limitHeap, openHeapKernels, outgrown } = await import("./wasm-kernels/heap.ts");
  const { registerKernels } = await import("./wasm-kernels/index.ts");
  const { registerGradients } = await import("./gradients/index.ts");
  setWasmPaths(packageFolder() + sep);
  if (!(await tf.setBackend("wasm")) || tf.getBackend() !== "wasm")
    throw new PlumeError("UNAVAILABLE", "the wasm backend of TensorFlow.js did not start", {
      remedy: "run npm ci again; it needs WebAssembly SIMD",
    });
  const inside = tf.backend() as unknown as WasmBackend;
  registerGradients();
  registerKernels(openHeapKernels(inside));
  limitHeap(inside, limitBytes);
  const usedBytes = () => inside.wasm.HEAPU8.length;
  return {
    name: "wasm",
    device: "wasm (XNNPACK, SIMD, 1 thread)",
    memory: () => ({ usedBytes: usedBytes(), limitBytes, ...tensorMemory(tf) }),
    program: (computation) => planProgram(tf, inside, computation),
    check: () => {
      if (usedBytes() > limitBytes) throw outgrown(usedBytes(), limitBytes);
    },
  };
}

/** Of the .wasm files: the package's own, whether its code is bundled or not. */
function packageFolder(): string {
  return join(dirname(createRequire(import.meta.url).resolve("@tensorflow/tfjs-backend-wasm/package.json")), "dist");
}
