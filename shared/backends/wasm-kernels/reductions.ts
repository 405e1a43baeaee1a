// Sums and means. TensorFlow.js adds float32 one by one (2e7 times 0.1 gives 2,097,152) and transposes the whole input
// to reduce anything but the last axes; these reduce in place, with float64 totals.

import { backend_util, type TensorInfo, util } from "@tensorflow/tfjs-core";
import { type HeapKernels, improveKernel, type KernelCall, sizeOf } from "./heap.ts";

export function registerReductions(kernels: HeapKernels): void {
  const floats = ({ inputs }: KernelCall) => inputs.x!.dtype === "float32" && sizeOf(inputs.x!.shape) > 0;
  improveKernel("Sum", kernels, floats, (call) => reduce(call, () => 1));
  improveKernel("Mean", kernels, floats, (call) => reduce(call, (count) => 1 / count));
}

/** Reduces runs of neighbouring axes, the last run first: each is [outer, count, inner] -> [outer, inner]. */
function reduce(call: KernelCall, factorOf: (count: number) => number): TensorInfo {
  const x = call.inputs.x!;
  const { axis, keepDims } = call.attrs as { axis: number | number[]; keepDims: boolean };
  const axes = util.parseAxisParam(axis, x.shape);
  const [outShape, reduced] = backend_util.computeOutAndReduceShapes(x.shape, axes);
  const factor = factorOf(sizeOf(reduced));
  const shape = x.shape.slice();
  let from = x;
  for (const { start, end } of runs(axes)) {
    const [outer, inner] = [sizeOf(shape.slice(0, start)), sizeOf(shape.slice(end))];
    const count = sizeOf(shape.slice(start, end));
    shape.fill(1, start, end);
    const to = call.output(shape);
    sumMiddle(call, call.at(from), call.at(to), outer, count, inner);
    if (from !== x) call.dispose(from);
    from = to;
  }
  const out = from === x ? copy(call, x) : from;
  if (factor !== 1) call.kernels.scale!(call.at(out), sizeOf(outShape), factor);
  return { ...out, shape: keepDims ? backend_util.expandShapeToKeepDim(outShape, axes) : outShape };
}

function sumMiddle(call: KernelCall, x: number, out: number, outer: number, count: number, inner: number): void {
  const { rowSums, columnSums } = call.kernels as Record<"rowSums" | "columnSums", (...args: number[]) => void>;
  if (inner === 1) rowSums(x, out, outer, count);
  else for (let i = 0; i < outer; i++) columnSums(x + i * count * inner * 4, out + i * inner * 4, count, inner);
}

/** Neighbouring axes as [start, end), from the last run to the first. */
function runs(axes: readonly number[]): { start: number; end: number }[] {
  const found: { start: number; end: number }[] = [];
  for (const axis of [...axes].sort((a, b) => b - a)) {
    const last = found.at(-1);
    if (last && last.start === axis + 1) last.start = axis;
    else found.push({ start: axis, end: axis + 1 });
  }
  return found;
}

/** No axis at all: the sum is x. */
function copy(call: KernelCall, x: TensorInfo): TensorInfo {
  const out = call.output(x.shape);
  const bytes = sizeOf(x.shape) * 4;
  call.kernels.copyRows!(call.at(x), call.at(out), 1, bytes, bytes, bytes);
  return out;
}
