// Matrix products that the wasm backend has no fast path for: batches, and transposed operands. Explicit transposes and
// a register-tiled product per batch; the plain [m, k] x [k, n] product stays XNNPACK's.

import { broadcast_util, getKernel, type KernelFunc, type TensorInfo } from "@tensorflow/tfjs-core";
import { defineKernel, type HeapKernels, type KernelCall, sizeOf } from "./heap.ts";

export function registerMatMul(kernels: HeapKernels): void {
  const stock = getKernel("BatchMatMul", "wasm").kernelFunc as KernelFunc;
  defineKernel("BatchMatMul", kernels, (call) => {
    const { a, b } = call.inputs as { a: TensorInfo; b: TensorInfo };
    const { transposeA, transposeB } = call.attrs as { transposeA: boolean; transposeB: boolean };
    const plain =
      !transposeA && !transposeB && sizeOf(a.shape.slice(0, -2)) === 1 && sizeOf(b.shape.slice(0, -2)) === 1;
    if (plain)
      return stock({ inputs: call.inputs as never, attrs: call.attrs as never, backend: call.backend }) as TensorInfo;
    return batchMatMul(call, a, b, transposeA, transposeB);
  });
}

function batchMatMul(
  call: KernelCall,
  a: TensorInfo,
  b: TensorInfo,
  transposeA: boolean,
  transposeB: boolean,
): TensorInfo {
  const [aRows, aColumns] = a.shape.slice(-2) as [number, number];
  const [bRows, bColumns] = b.shape.slice(-2) as [number, number];
  const [m, k] = transposeA ? [aColumns, aRows] : [aRows, aColumns];
  const n = transposeB ? bRows : bColumns;
  const outer = broadcast_util.assertAndGetBroadcastShape(a.shape.slice(0, -2), b.shape.slice(0, -2));
  const [indexA, indexB] = [matrixIndex(a.shape.slice(0, -2), outer), matrixIndex(b.shape.slice(0, -2), outer)];
  const out = call.output([...outer, m, n]);
  const scratchA = transposeA ? call.output([m, k]) : null;
  const scratchB = transposeB ? call.output([k, n]) : null;
  const { transpose2d, gemm } = call.kernels as {
    transpose2d: (...args: number[]) => void;
    gemm: (...args: number[]) => void;
  };
  for (let i = 0; i < indexA.length; i++) {
    const fromA = call.at(a) + indexA[i]! * m * k * 4;
    const fromB = call.at(b) + indexB[i]! * k * n * 4;
    // A matrix that serves several products in turn is transposed once.
    if (scratchA && indexA[i] !== indexA[i - 1]) transpose2d(fromA, call.at(scratchA), k, m);
    if (scratchB && indexB[i] !== indexB[i - 1]) transpose2d(fromB, call.at(scratchB), n, k);
    gemm(
      scratchA ? call.at(scratchA) : fromA,
      scratchB ? call.at(scratchB) : fromB,
      call.at(out) + i * m * n * 4,
      m,
      k,
      n,
    );
  }
  call.dispose(...[scratchA, scratchB].filter((t) => t !== null));
  return out;
}

/** Which matrix of an operand with batch dimensions `own` takes part in each product of the broadcast batch `outer`. */
function matrixIndex(own: readonly number[], outer: readonly number[]): number[] {
  const missing = outer.length - own.length;
  return Array.from({ length: sizeOf(outer) }, (_, product) => {
    let [rest, index, step] = [product, 0, 1];
    for (let axis = outer.length - 1; axis >= missing; axis--) {
      const n = own[axis - missing]!;
      if (n > 1) index += (rest % outer[axis]!) * step;
      rest = Math.floor(rest / outer[axis]!);
      step *= n;
    }
    return index;
  });
}
