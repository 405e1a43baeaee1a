// Matrix products.

import * as tf from "@tensorflow/tfjs-core";
import { type BackendCase, random } from "./case.ts";
import * as plain from "./reference.ts";

export function products(): BackendCase[] {
  const shapes: [string, number[], number[]][] = [
    ["", [7, 6], [6, 9]],
    [", beyond one block of the kernel", [13, 61], [61, 18]],
    [" of a batch", [3, 7, 6], [3, 6, 9]],
    [" of heads", [2, 3, 9, 4], [2, 3, 4, 5]],
    [" of a batch with one matrix", [3, 7, 6], [1, 6, 9]],
    [", the right one repeated along the first axis", [2, 3, 4, 5], [1, 3, 5, 6]],
    [", the left one repeated along the second axis", [2, 1, 4, 5], [2, 3, 5, 6]],
  ];
  const turned = (shape: number[], swap: boolean) =>
    swap ? [...shape.slice(0, -2), shape.at(-1)!, shape.at(-2)!] : shape;
  return shapes.flatMap(([what, a, b]) =>
    [0, 1, 2, 3].map((bits): BackendCase => {
      const [ta, tb] = [bits % 2 === 1, bits > 1];
      return {
        title: `product${what}${ta ? ", left transposed" : ""}${tb ? ", right transposed" : ""}`,
        op: (x, y) => tf.matMul(x, y, ta, tb),
        reference: (x, y) => plain.matMul(ta ? plain.swapLast(x) : x, tb ? plain.swapLast(y) : y),
        inputs: () => [random(...turned(a, ta)), random(...turned(b, tb))],
      };
    }),
  );
}
