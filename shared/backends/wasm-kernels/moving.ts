// Slice, split, unstack and concat as strided copies inside the heap. TensorFlow.js copies the whole input out of the
// heap for every piece of it, and makes a copy where another reference would do.

import { backend_util, slice_util, type TensorInfo, util } from "@tensorflow/tfjs-core";
import { defineKernel, type HeapKernels, improveKernel, type KernelCall, sizeOf } from "./heap.ts";

type Words = "float32" | "int32";
const words = (tensor: TensorInfo | undefined): boolean => tensor?.dtype === "float32" || tensor?.dtype === "int32";
const alike = (parts: readonly TensorInfo[]): boolean =>
  words(parts[0]) && parts.every(({ dtype }) => dtype === parts[0]!.dtype);

export function registerMoving(kernels: HeapKernels): void {
  defineKernel("Identity", kernels, ({ inputs, backend }) => {
    const { dataId, shape, dtype } = inputs.x!;
    backend.incRef(dataId);
    return { dataId, shape, dtype };
  });
  improveKernel("Slice", kernels, ({ inputs }) => words(inputs.x), slice);
  improveKernel("SplitV", kernels, ({ inputs }) => words(inputs.x), split);
  improveKernel("Unpack", kernels, ({ inputs }) => words(inputs.value), unpack);
  improveKernel("Concat", kernels, ({ inputs }) => alike(Object.values(inputs)), concat);
}

function slice(call: KernelCall): TensorInfo {
  const x = call.inputs.x!;
  const { begin, size } = call.attrs as { begin: number[]; size: number[] };
  const [from, extent] = slice_util.parseSliceParams(x as never, begin, size) as [number[], number[]];
  slice_util.assertParamsValid(x as never, from, extent);
  return cut(call, x, from, extent, extent);
}

function split(call: KernelCall): TensorInfo[] {
  const x = call.inputs.x!;
  const { numOrSizeSplits, axis } = call.attrs as { numOrSizeSplits: number | number[]; axis: number };
  const along = util.parseAxisParam(axis, x.shape)[0]!;
  const total = x.shape[along]!;
  const sizes =
    typeof numOrSizeSplits === "number"
      ? Array.from({ length: numOrSizeSplits }, () => total / numOrSizeSplits)
      : numOrSizeSplits.map((n) => (n < 0 ? total - numOrSizeSplits.reduce((sum, m) => sum + Math.max(0, m), 0) : n));
  let start = 0;
  return sizes.map((n) => {
    const extent = x.shape.with(along, n);
    const begin = x.shape.map((_, axis) => (axis === along ? start : 0));
    start += n;
    return cut(call, x, begin, extent, extent);
  });
}

function unpack(call: KernelCall): TensorInfo[] {
  const x = call.inputs.value!;
  const along = util.parseAxisParam((call.attrs as { axis: number }).axis, x.shape)[0]!;
  return Array.from({ length: x.shape[along]! }, (_, i) => {
    const begin = x.shape.map((_, axis) => (axis === along ? i : 0));
    return cut(call, x, begin, x.shape.with(along, 1), x.shape.toSpliced(along, 1));
  });
}

/** Copies the box that begins at `from` and has `extent` elements an axis. */
function cut(call: KernelCall, x: TensorInfo, from: number[], extent: number[], shape: number[]): TensorInfo {
  const out = call.output(shape, x.dtype as Words);
  if (sizeOf(shape) === 0) return out;
  const axes = mergeWhole(x.shape, from, extent);
  const [row, column] = [axes.at(-2) ?? { whole: 1, from: 0, extent: 1 }, axes.at(-1)!];
  const outer = axes.slice(0, -2);
  const block = row.extent * column.extent * 4;
  let to = call.at(out);
  for (let i = 0; i < outer.reduce((product, axis) => product * axis.extent, 1); i++) {
    let rest = i;
    let [offset, step] = [0, row.whole];
    for (const axis of [...outer].reverse()) {
      offset += (axis.from + (rest % axis.extent)) * step;
      rest = Math.floor(rest / axis.extent);
      step *= axis.whole;
    }
    const first = call.at(x) + ((offset + row.from) * column.whole + column.from) * 4;
    call.kernels.copyRows!(first, to, row.extent, column.extent * 4, column.whole * 4, column.extent * 4);
    to += block;
  }
  return out;
}

interface CutAxis {
  readonly whole: number;
  readonly from: number;
  readonly extent: number;
}

/** The same box with fewer axes: one that is taken whole joins the axis before it. Never empty. */
function mergeWhole(shape: readonly number[], from: readonly number[], extent: readonly number[]): CutAxis[] {
  const axes: CutAxis[] = [{ whole: 1, from: 0, extent: 1 }];
  shape.forEach((n, i) => {
    const last = axes.at(-1)!;
    if (extent[i] === n)
      axes[axes.length - 1] = { whole: last.whole * n, from: last.from * n, extent: last.extent * n };
    else axes.push({ whole: n, from: from[i]!, extent: extent[i]! });
  });
  return axes;
}

function concat(call: KernelCall): TensorInfo {
  const parts = Object.values(call.inputs);
  const first = parts[0]!;
  const along = util.parseAxisParam((call.attrs as { axis: number }).axis, first.shape)[0]!;
  backend_util.assertParamsConsistent(
    parts.map(({ shape }) => shape),
    along,
  );
  const total = parts.reduce((sum, { shape }) => sum + shape[along]!, 0);
  const out = call.output(first.shape.with(along, total), first.dtype as Words);
  const rows = sizeOf(first.shape.slice(0, along));
  const inner = sizeOf(first.shape.slice(along + 1)) * 4;
  let to = call.at(out);
  for (const part of parts) {
    const bytes = part.shape[along]! * inner;
    call.kernels.copyRows!(call.at(part), to, rows, bytes, bytes, total * inner);
    to += bytes;
  }
  return out;
}
