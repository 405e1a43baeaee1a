// Operations that only move values.

import * as tf from "@tensorflow/tfjs-core";
import { upsample2 } from "../../../shared/nn/fused.ts";
import { type BackendCase, random } from "./case.ts";
import type { Nd } from "./reference.ts";
import * as plain from "./reference.ts";

/** A reference that only moves elements: each output index to an index of one of the inputs, or to zero. */
const moves =
  (shape: number[], from: (index: number[]) => [input: number, index: number[]] | null) =>
  (...inputs: Nd[]): Nd =>
    plain.build(shape, (index) => {
      const source = from(index);
      return source ? plain.at(inputs[source[0]]!, source[1]) : 0;
    });

export const moving: BackendCase[] = [
  {
    title: "concat of channels",
    op: (a, b, c) => tf.concat([a, b, c], 3),
    reference: moves([2, 3, 3, 17], ([n, i, j, c]) => {
      if (c! < 4) return [0, [n!, i!, j!, c!]];
      return c! < 12 ? [1, [n!, i!, j!, c! - 4]] : [2, [n!, i!, j!, c! - 12]];
    }),
    inputs: () => [random(2, 3, 3, 4), random(2, 3, 3, 8), random(2, 3, 3, 5)],
  },
  {
    title: "concat of rows",
    op: (a, b) => tf.concat([a, b], 0),
    reference: moves([5, 3], ([i, j]) => (i! < 2 ? [0, [i!, j!]] : [1, [i! - 2, j!]])),
    inputs: () => [random(2, 3), random(3, 3)],
  },
  {
    title: "slice of the last axis",
    op: (x) => tf.slice(x, [0, 0, 0, 3], [2, 3, 4, 5]),
    reference: moves([2, 3, 4, 5], ([n, i, j, c]) => [0, [n!, i!, j!, c! + 3]]),
    inputs: () => [random(2, 3, 4, 9)],
  },
  {
    title: "slice of every axis",
    op: (x) => tf.slice(x, [1, 2, 0, 1], [2, 2, 3, -1]),
    reference: moves([2, 2, 3, 4], ([n, i, j, c]) => [0, [n! + 1, i! + 2, j!, c! + 1]]),
    inputs: () => [random(3, 5, 4, 5)],
  },
  {
    title: "slice of a vector",
    op: (x) => tf.slice(x, [2], [3]),
    reference: moves([3], ([i]) => [0, [i! + 2]]),
    inputs: () => [random(7)],
  },
  {
    title: "split in unequal parts",
    op: (x) => {
      const [a, b, c] = tf.split(x, [2, 3, 3], 1) as [tf.Tensor, tf.Tensor, tf.Tensor];
      return tf.concat([c, a, b], 1);
    },
    reference: moves([3, 8, 2], ([n, i, c]) => [0, [n!, (i! + 5) % 8, c!]]),
    inputs: () => [random(3, 8, 2)],
  },
  {
    title: "stack and unstack",
    op: (a, b) => tf.stack([tf.unstack(a, 1)[2]!, b], 1),
    reference: moves([2, 2], ([i, j]) => (j === 0 ? [0, [i!, 2]] : [1, [i!]])),
    inputs: () => [random(2, 4), random(2)],
  },
  {
    title: "pad",
    op: (x) =>
      tf.pad(x, [
        [1, 0],
        [0, 2],
      ]),
    reference: moves([3, 6], ([i, j]) => (i! < 1 || j! > 3 ? null : [0, [i! - 1, j!]])),
    inputs: () => [random(2, 4)],
  },
  {
    title: "transpose",
    op: (x) => tf.transpose(x, [0, 3, 1, 2]),
    reference: (x) => plain.transpose(x!, [0, 3, 1, 2]),
    inputs: () => [random(2, 4, 3, 5)],
  },
  {
    title: "tile",
    op: (x) => tf.tile(x, [2, 3]),
    reference: moves([4, 12], ([i, j]) => [0, [i! % 2, j! % 4]]),
    inputs: () => [random(2, 4)],
  },
  {
    title: "gather with repeats",
    op: (x) => tf.gather(x, tf.tensor1d([0, 2, 2, 1], "int32")),
    reference: moves([4, 6], ([i, j]) => [0, [[0, 2, 2, 1][i!]!, j!]]),
    inputs: () => [random(4, 6)],
  },
  {
    title: "upsampling by 2",
    op: (x) => upsample2(x as tf.Tensor4D),
    reference: moves([2, 6, 8, 5], ([n, i, j, c]) => [0, [n!, i! >> 1, j! >> 1, c!]]),
    inputs: () => [random(2, 3, 4, 5)],
  },
  {
    title: "nearest-neighbour resizing by 3",
    op: (x) => tf.image.resizeNearestNeighbor(x as tf.Tensor4D, [9, 12]),
    reference: moves([2, 9, 12, 3], ([n, i, j, c]) => [0, [n!, Math.floor(i! / 3), Math.floor(j! / 3), c!]]),
    inputs: () => [random(2, 3, 4, 3)],
  },
];
