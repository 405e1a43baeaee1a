// Sums and means over axes.

import * as tf from "@tensorflow/tfjs-core";
import { type BackendCase, random } from "./case.ts";
import * as plain from "./reference.ts";

export function reductions(): BackendCase[] {
  const axes = [[3], [1, 2], [0], [0, 1, 2], [1, 3], [0, 2], [0, 1, 2, 3]];
  return axes.flatMap((over): BackendCase[] => [
    {
      title: `sum over axes ${over.join(", ")}`,
      op: (x) => tf.sum(x, over),
      reference: (x) => plain.sum(x!, over),
      inputs: () => [random(3, 7, 5, 6)],
    },
    {
      title: `mean over axes ${over.join(", ")}`,
      op: (x) => tf.mean(x, over),
      reference: (x) => {
        const total = plain.sum(x!, over);
        return plain.map((v) => (v * total.data.length) / x!.data.length, total);
      },
      inputs: () => [random(3, 7, 5, 6)],
    },
  ]);
}
