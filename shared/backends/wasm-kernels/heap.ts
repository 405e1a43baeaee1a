// plume's own kernels on the heap of TensorFlow.js's wasm backend: one instance on its memory, and helpers that make a
// registered kernel a matter of addresses.

import { readFileSync } from "node:fs";
import { getKernel, type KernelFunc, registerKernel, type TensorInfo, unregisterKernel } from "@tensorflow/tfjs-core";

/** The part of tfjs's BackendWasm that plume leans on (its types do not export it): the version is pinned. */
export interface WasmBackend {
  readonly wasm: { readonly HEAPU8: Uint8Array; readonly HEAPF32: Float32Array; readonly asm: WasmExports };
  readonly dataIdMap: { get(dataId: object): { readonly memoryOffset: number } };
  makeOutput(shape: number[], dtype: "float32" | "int32"): TensorInfo;
  disposeData(dataId: object): boolean;
}

interface WasmExports {
  readonly memory: WebAssembly.Memory;
  malloc(bytes: number): number;
  free(pointer: number): void;
}

export type HeapKernels = Readonly<Record<string, (...args: number[]) => void>>;

export function openHeapKernels(backend: WasmBackend): HeapKernels {
  const module = new WebAssembly.Module(readFileSync(new URL("./kernels.wasm", import.meta.url)));
  return new WebAssembly.Instance(module, { env: { memory: backend.wasm.asm.memory } })
    .exports as unknown as HeapKernels;
}

/** What a kernel of plume is given. */
export interface KernelCall {
  readonly inputs: Readonly<Record<string, TensorInfo>>;
  readonly attrs: Readonly<Record<string, unknown>>;
  readonly backend: WasmBackend;
  readonly kernels: HeapKernels;
  /** Byte address of a tensor. */
  at(tensor: TensorInfo): number;
  output(shape: readonly number[]): TensorInfo;
  /** Runs another kernel of the backend without the engine's bookkeeping; dispose what it returns. */
  run(name: string, inputs: Record<string, TensorInfo>, attrs?: Record<string, unknown>): TensorInfo;
  dispose(...tensors: TensorInfo[]): void;
}

/** Registers (or replaces) a kernel of the wasm backend. */
export function defineKernel(
  name: string,
  kernels: HeapKernels,
  body: (call: KernelCall) => TensorInfo | TensorInfo[],
): void {
  if (getKernel(name, "wasm")) unregisterKernel(name, "wasm");
  const kernelFunc: KernelFunc = ({ inputs, attrs, backend }) => {
    const wasm = backend as WasmBackend;
    return body({
      inputs: inputs as Record<string, TensorInfo>,
      attrs: (attrs ?? {}) as Record<string, unknown>,
      backend: wasm,
      kernels,
      at: (tensor) => wasm.dataIdMap.get(tensor.dataId).memoryOffset,
      output: (shape) => wasm.makeOutput([...shape], "float32"),
      run: (other, otherInputs, otherAttrs = {}) =>
        getKernel(other, "wasm").kernelFunc({
          inputs: otherInputs,
          attrs: otherAttrs as never,
          backend: wasm,
        }) as TensorInfo,
      dispose: (...tensors) => {
        for (const tensor of tensors) wasm.disposeData(tensor.dataId);
      },
    });
  };
  registerKernel({ kernelName: name, backendName: "wasm", kernelFunc });
}

export const sizeOf = (shape: readonly number[]): number => shape.reduce((product, n) => product * n, 1);
