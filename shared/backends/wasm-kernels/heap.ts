// plume's own kernels on the heap of TensorFlow.js's wasm backend: one instance on its memory, and helpers that make a
// registered kernel a matter of addresses.

import { readFileSync } from "node:fs";
import { getKernel, type KernelFunc, registerKernel, type TensorInfo, unregisterKernel } from "@tensorflow/tfjs-core";
import { PlumeError } from "../../errors.ts";
import { asset } from "../../root.ts";

/** The part of tfjs's BackendWasm that plume leans on (its types do not export it): the version is pinned. */
export interface WasmBackend {
  readonly wasm: {
    readonly HEAPU8: Uint8Array;
    readonly asm: WasmExports;
    /** What tfjs allocates every tensor with. */
    _malloc(bytes: number): number;
  };
  readonly dataIdMap: { get(dataId: object): { readonly memoryOffset: number } };
  makeOutput(shape: number[], dtype: "float32" | "int32"): TensorInfo;
  /** One reference less; the last one frees the memory. */
  disposeData(dataId: object): boolean;
  incRef(dataId: object): void;
  write(values: ArrayBufferView | null, shape: number[], dtype: string): object;
  readSync(dataId: object, start?: number, end?: number): unknown;
}

interface WasmExports {
  readonly memory: WebAssembly.Memory;
  malloc(bytes: number): number;
  free(pointer: number): void;
}

export type HeapKernels = Readonly<Record<string, (...args: number[]) => void>>;

export function openHeapKernels(backend: WasmBackend): HeapKernels {
  const module = new WebAssembly.Module(readFileSync(asset("shared/backends/wasm-kernels/kernels.wasm")));
  return new WebAssembly.Instance(module, { env: { memory: backend.wasm.asm.memory } })
    .exports as unknown as HeapKernels;
}

/**
 * Makes every tensor that no longer fits fail by name. tfjs itself would go on with address 0 and overwrite its heap.
 * Bytes are those of the heap, which grows in leaps and never shrinks.
 */
export function limitHeap({ wasm }: WasmBackend, limitBytes: number): void {
  wasm._malloc = (bytes) => {
    const pointer = wasm.asm.malloc(bytes);
    if (pointer !== 0 && wasm.HEAPU8.length <= limitBytes) return pointer;
    if (pointer !== 0) wasm.asm.free(pointer);
    throw outgrown(wasm.HEAPU8.length, limitBytes, bytes);
  };
}

/** The error of a heap of `usedBytes` over its budget, perhaps on the way to a tensor of `wantedBytes`. */
export function outgrown(usedBytes: number, limitBytes: number, wantedBytes?: number): PlumeError {
  const what = wantedBytes === undefined ? "" : `no room for a tensor of ${megabytes(wantedBytes)}: `;
  return new PlumeError(
    "RESOURCE_EXHAUSTED",
    `${what}the wasm heap has grown to ${megabytes(usedBytes)}, its budget is ${megabytes(limitBytes)}`,
    { remedy: "lower training.microBatch or model.channels" },
  );
}

const megabytes = (bytes: number) => `${Math.round(bytes / 2 ** 20)} MiB`;

/** What a kernel of plume is given. */
export interface KernelCall {
  readonly inputs: Readonly<Record<string, TensorInfo>>;
  readonly attrs: Readonly<Record<string, unknown>>;
  readonly backend: WasmBackend;
  readonly kernels: HeapKernels;
  /** Byte address of a tensor. */
  at(tensor: TensorInfo): number;
  /** A float32 tensor as a view of the heap, good until the next output. */
  floats(tensor: TensorInfo): Float32Array;
  output(shape: readonly number[], dtype?: "float32" | "int32"): TensorInfo;
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
      floats: (tensor) => {
        const { memoryOffset } = wasm.dataIdMap.get(tensor.dataId);
        return new Float32Array(wasm.wasm.HEAPU8.buffer, memoryOffset, sizeOf(tensor.shape));
      },
      output: (shape, dtype = "float32") => wasm.makeOutput([...shape], dtype),
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

/** Replaces a kernel where plume's is meant for it, and leaves the other calls (text, booleans …) to tfjs's own. */
export function improveKernel(
  name: string,
  kernels: HeapKernels,
  fits: (call: KernelCall) => boolean,
  body: (call: KernelCall) => TensorInfo | TensorInfo[],
): void {
  const stock = getKernel(name, "wasm").kernelFunc as KernelFunc;
  defineKernel(name, kernels, (call) =>
    fits(call)
      ? body(call)
      : stock({ inputs: call.inputs as never, attrs: call.attrs as never, backend: call.backend }),
  );
}

export const sizeOf = (shape: readonly number[]): number => shape.reduce((product, n) => product * n, 1);
