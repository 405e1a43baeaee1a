// The whole variational bound on images (Ho et al. 2020, Eq. 5): every step once, with given noise.

import * as tf from "@tensorflow/tfjs-core";
import { pMeanVariance, qSample } from "../diffusion/gaussian.ts";
import { meanFlat, priorTerm, vlbTerm } from "../diffusion/likelihood.ts";
import { toEps } from "../diffusion/prediction.ts";
import type { Denoiser, SampleOptions } from "../samplers/sampler.ts";

/** Bits a dimension; the arrays of steps are [T], each float32 [B]. */
export interface Bound {
  readonly total: Float64Array;
  readonly prior: Float32Array;
  readonly vb: readonly Float32Array[];
  /** Of x_0 and of eps, as predicted at each step. */
  readonly x0Mse: readonly Float32Array[];
  readonly epsMse: readonly Float32Array[];
}

/** @param onStep called after each step; may await to let others run, or throw to stop. @param x0 float32 [B, H, W, C], values of 8-bit images in [-1, 1]; stays the caller's. */
export async function variationalBound(
  denoise: Denoiser,
  x0: tf.Tensor,
  { process, clip, variance, noise }: Omit<SampleOptions, "eta">,
  onStep: (done: number, total: number) => Promise<void> | void = () => {},
): Promise<Bound> {
  const [prior] = await read([tf.tidy(() => priorTerm(process, x0))]);
  const terms: [vb: Float32Array, x0Mse: Float32Array, epsMse: Float32Array][] = [];
  for (let t = 0; t < process.T; t++) {
    const ofStep = tf.tidy(() => {
      const eps = noise(t, x0.shape);
      const x_t = qSample(process, x0, t, eps);
      const p = pMeanVariance(process, x_t, t, denoise(x_t, t), { variance, clip });
      return [
        vlbTerm(process, { x0, x_t, t }, p),
        meanFlat(tf.squaredDifference(p.x0, x0)),
        meanFlat(tf.squaredDifference(toEps(process, x_t, t, p.x0), eps)),
      ];
    });
    terms.push((await read(ofStep)) as (typeof terms)[number]);
    await onStep(t + 1, process.T);
  }
  const vb = terms.map(([term]) => term);
  return {
    total: Float64Array.from(prior!, (bits, i) => vb.reduce((sum, term) => sum + term[i]!, bits)),
    prior: prior!,
    vb,
    x0Mse: terms.map(([, mse]) => mse),
    epsMse: terms.map(([, , mse]) => mse),
  };
}

async function read(tensors: readonly tf.Tensor[]): Promise<Float32Array[]> {
  const values = await Promise.all(tensors.map((tensor) => tensor.data<"float32">()));
  tf.dispose([...tensors]);
  return values;
}
