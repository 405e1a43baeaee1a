// Linear multistep in sigma: the slopes of the last steps as one polynomial, integrated over the next step (Adams and
// Bashforth). k-diffusion's sample_lms.

import type * as tf from "@tensorflow/tfjs-core";
import { combine, type Term } from "./combine.ts";
import { slope } from "./ode.ts";
import type { Walk } from "./sampler.ts";

export const lms = (order = 4): Walk =>
  function* (denoise, x, sigmas) {
    let slopes: tf.Tensor[] = [];
    for (let i = 0; i < sigmas.length - 1; i++) {
      const sigma = sigmas[i]!;
      slopes = [slope(x, denoise(x, sigma), sigma), ...slopes].slice(0, order);
      const nodes = slopes.map((_, j) => sigmas[i - j]! - sigma);
      const h = sigmas[i + 1]! - sigma;
      x = combine([1, x], ...slopes.map((d, j): Term => [lagrangeIntegral(nodes, j, h), d]));
      yield { x, kept: slopes };
    }
  };

/** The integral over [0, h] of the polynomial that is 1 at node j and 0 at the others. */
function lagrangeIntegral(nodes: readonly number[], j: number, h: number): number {
  // Coefficients of u^0, u^1, ...
  let polynomial = [1];
  nodes.forEach((node, k) => {
    if (k === j) return;
    const scale = 1 / (nodes[j]! - node);
    const grown = new Array<number>(polynomial.length + 1).fill(0);
    polynomial.forEach((a, power) => {
      grown[power + 1]! += a * scale;
      grown[power]! -= a * node * scale;
    });
    polynomial = grown;
  });
  return polynomial.reduceRight((sum, a, power) => (sum + a / (power + 1)) * h, 0);
}
