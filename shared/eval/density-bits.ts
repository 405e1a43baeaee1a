// What a model that knows a density, or a bound on one, says of real images, in bits a dimension: the evidence lower bound, or the
// likelihood under uniform noise between bytes; and the importance-weighted bound, which is tighter: Burda et al. 2016, Eq. 8.

import { NETWORKS } from "../models/index.ts";
import type { Density } from "../nn/network.ts";
import { createWeigh } from "../pipeline/evidence.ts";
import { scaled, seen } from "../pipeline/pixels.ts";
import type { BitsOptions, MeasureBits, RealBatch } from "./model-bits.ts";

export function densityBits(options: BitsOptions, density: Density): MeasureBits {
  const { spec, image, seed } = options;
  const weigh = createWeigh(options, density, seed);
  const givenOf = ({ pixels, labels, ids }: RealBatch) => ({
    x: seen(scaled(pixels), image, spec.data.patch),
    y: labels,
    ids,
  });
  const inBits = (nats: number) => nats / (image.height * image.width * image.channels * Math.LN2);
  return {
    kind: NETWORKS[spec.model.type].gives === "density" ? "exact" : "bound",
    async measure(batch, onStep) {
      const { cost } = await weigh(givenOf(batch), 0);
      await onStep(1, 1);
      return Float64Array.from(cost, inBits);
    },
    async weighted(batch, draws, onStep) {
      const given = givenOf(batch);
      const weights: Float32Array[] = [];
      for (let k = 0; k < draws; k++) {
        weights.push((await weigh(given, k)).logWeight);
        await onStep(k + 1, draws);
      }
      return Float64Array.from(batch.ids, (_, i) => inBits(-logMeanExp(weights.map((each) => each[i]!))));
    },
  };
}

/** ln of the mean of e^x, in float64. */
export function logMeanExp(values: readonly number[]): number {
  const most = Math.max(...values);
  return most + Math.log(values.reduce((sum, value) => sum + Math.exp(value - most), 0) / values.length);
}
