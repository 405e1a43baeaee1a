// Gradients of kernels that move, cut, join, repeat and add up elements.

import * as tf from "@tensorflow/tfjs-core";
import { unsupported } from "../unsupported.ts";
import type { GradientRule } from "./gradient.ts";

type T = tf.Tensor;

const reshapeBack: GradientRule = { save: ["x"], gradient: (dy, [x]) => ({ x: () => tf.reshape(dy as T, x!.shape) }) };

export const structural: Record<string, GradientRule> = {
  // The shape alone is needed, but the engine saves tensors; they are alive anyway.
  Reshape: reshapeBack,
  ExpandDims: { save: ["input"], gradient: (dy, [x]) => ({ input: () => tf.reshape(dy as T, x!.shape) }) },
  Transpose: {
    gradient: (dy, _saved, { perm }) => ({
      x: () => tf.transpose(dy as T, tf.backend_util.getUndoAxesPermutation(perm as number[])),
    }),
  },
  Concat: {
    saveAll: true,
    gradient: (dy, saved, { axis }) => {
      const along = tf.util.parseAxisParam(axis as number, saved[0]!.shape)[0]!;
      const parts = tf.split(
        dy as T,
        saved.map((x) => x.shape[along]!),
        along,
      );
      return parts.map((part) => () => part) as unknown as Record<string, () => T>;
    },
  },
  // Of one part, dys is a tensor and no list.
  SplitV: { gradient: (dys, _saved, { axis }) => ({ x: () => tf.concat([dys].flat() as T[], axis as number) }) },
  Slice: {
    save: ["x"],
    gradient: (dy, [x], { begin, size }) => ({
      x: () => {
        const [from, extent] = tf.slice_util.parseSliceParams(x!, begin as number[], size as number[]) as [
          number[],
          number[],
        ];
        const paddings = from.map((start, axis): [number, number] => [
          start!,
          x!.shape[axis]! - start! - extent[axis]!,
        ]);
        return tf.pad(dy as T, paddings);
      },
    }),
  },
  PadV2: {
    save: ["x"],
    gradient: (dy, [x], { paddings }) => ({
      x: () =>
        tf.slice(
          dy as T,
          (paddings as number[][]).map(([before]) => before!),
          x!.shape,
        ),
    }),
  },
  Pack: {
    saveAll: true,
    gradient: (dy, _saved, { axis }) =>
      tf.unstack(dy as T, axis as number).map((part) => () => part) as unknown as Record<string, () => T>,
  },
  Unpack: { gradient: (dys, _saved, { axis }) => ({ value: () => tf.stack(dys as T[], axis as number) }) },
  Tile: {
    save: ["x"],
    gradient: (dy, [x], { reps }) => ({
      x: () => {
        // [r0, n0, r1, n1, ...] summed over the repeats.
        const shape = x!.shape.flatMap((n, axis) => [(reps as number[])[axis]!, n]);
        return tf.sum(
          tf.reshape(dy as T, shape),
          x!.shape.map((_, axis) => 2 * axis),
        );
      },
    }),
  },
  Sum: {
    save: ["x"],
    gradient: (dy, [x], { axis }) => ({ x: () => spread(dy, x!, axis as number[]) }),
  },
  Mean: {
    save: ["x"],
    gradient: (dy, [x], { axis }) => ({
      x: () => {
        const axes = tf.util.parseAxisParam(axis as number[], x!.shape);
        const count = axes.reduce((product, a) => product * x!.shape[a]!, 1);
        return spread(tf.mul(dy as T, 1 / count), x!, axes);
      },
    }),
  },
  GatherV2: {
    save: ["x", "indices"],
    gradient: (dy, [x, indices], { axis }) => ({
      x: () => {
        if (tf.util.parseAxisParam(axis as number, x!.shape)[0] !== 0)
          throw unsupported("gradient of GatherV2", `axis ${axis}`, "transpose first, so that it gathers rows");
        const ids = tf.reshape(indices!, [indices!.size]) as tf.Tensor1D;
        return tf.unsortedSegmentSum(tf.reshape(dy as T, [indices!.size, ...x!.shape.slice(1)]), ids, x!.shape[0]!);
      },
      indices: () => tf.zerosLike(indices!),
    }),
  },
};

/** dy, summed over `axis`, back on the shape of x. */
function spread(dy: T, x: T, axis: number[]): T {
  const kept = x.shape.slice();
  for (const a of tf.util.parseAxisParam(axis, x.shape)) kept[a] = 1;
  return tf.mul(tf.reshape(dy, kept), tf.onesLike(x));
}
