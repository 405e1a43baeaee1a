// Embeddings of time steps and noise levels.

import type * as tf from "@tensorflow/tfjs-core";
import {
  cosSinEmbedding,
  fourierEmbedding,
  positionalEmbedding,
  sinCosEmbedding,
} from "../../../shared/nn/embeddings.ts";
import { tensorOf } from "../arrays.ts";
import type { GoldenCase, GoldenFamily } from "../family.ts";

export const embeddings: GoldenFamily = {
  name: "embeddings",
  float32: () => true,
  run: (golden) => ({ embedding: embed(golden).dataSync() }),
};

function embed({ params, inputs }: GoldenCase): tf.Tensor2D {
  const { dim, max_period, max_positions, endpoint, order } = params as {
    dim: number;
    max_period?: number;
    max_positions?: number;
    endpoint?: boolean;
    order: string;
  };
  const cosFirst = order.startsWith("[cos");
  if (inputs.freqs || inputs.W)
    return fourierEmbedding(
      tensorOf(inputs.x) as tf.Tensor1D,
      (inputs.freqs ?? inputs.W) as number[],
      cosFirst ? "cos|sin" : "sin|cos",
    );
  if (inputs.x)
    return positionalEmbedding(tensorOf(inputs.x) as tf.Tensor1D, dim, {
      maxPositions: max_positions ?? 10_000,
      endpoint: endpoint ?? false,
    });
  const t = tensorOf(inputs.timesteps) as tf.Tensor1D;
  return cosFirst ? cosSinEmbedding(t, dim, max_period) : sinCosEmbedding(t, dim);
}
