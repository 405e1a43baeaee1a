// Tensors between plume's order of axes (HWIO, [in, out]) and diffusers' (OIHW, [out, in]). Pure; exact: only moves.

import { sizeOf } from "../tensor/layout.ts";
import type { NamedValues } from "./adm-names.ts";

/** A tensor as diffusers stores it: `axes[k]` is the axis of plume's tensor that becomes its axis k. */
export interface DiffusersTensor {
  readonly name: string;
  readonly shape: readonly number[];
  readonly axes: readonly number[];
}

/** HWIO to OIHW, dense [in, out] to [out, in]; embeddings, gains and biases as they are. */
export function diffusersTensor(name: string, shape: readonly number[]): DiffusersTensor {
  const axes = axesOf(name, shape.length);
  return { name, shape: axes.map((axis) => shape[axis]!), axes };
}

function axesOf(name: string, rank: number): readonly number[] {
  if (rank === 4) return [3, 2, 0, 1];
  if (rank === 2 && name !== "class_embedding.weight") return [1, 0];
  return Array.from({ length: rank }, (_, axis) => axis);
}

/** plume's tensor in diffusers' order of axes. */
export function toDiffusers({ name, shape, values }: NamedValues): NamedValues {
  const there = diffusersTensor(name, shape);
  return { name, shape: there.shape, values: permuted(values, shape, there.axes) };
}

/** The inverse of toDiffusers. */
export function fromDiffusers({ name, shape, values }: NamedValues): NamedValues {
  const axes = axesOf(name, shape.length);
  const back = axes.map((_, axis) => axes.indexOf(axis));
  return { name, shape: back.map((axis) => shape[axis]!), values: permuted(values, shape, back) };
}

/** Row-major values of `shape`, transposed so that axis k of the result is axis axes[k]. */
function permuted(values: Float32Array, shape: readonly number[], axes: readonly number[]): Float32Array {
  if (axes.every((axis, k) => axis === k)) return values.slice();
  const strides = axes.map((axis) => sizeOf(shape.slice(axis + 1)));
  const extents = axes.map((axis) => shape[axis]!);
  const out = new Float32Array(values.length);
  const index = axes.map(() => 0);
  let from = 0;
  for (let to = 0; to < out.length; to++) {
    out[to] = values[from]!;
    for (let k = axes.length - 1; k >= 0; k--) {
      from += strides[k]!;
      if (++index[k]! < extents[k]!) break;
      from -= strides[k]! * extents[k]!;
      index[k] = 0;
    }
  }
  return out;
}
