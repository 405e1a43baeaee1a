// The largest singular value of a matrix by power iteration: Miyato et al. 2018, Algorithm 1. They keep u from step to step; here it
// begins at the same vector every time, so that a micro-batch stays a function of its parameters.

import * as tf from "@tensorflow/tfjs-core";

/** Of the norm of a vector that may be 0. */
const TINY = 1e-12;

const unit = (x: tf.Tensor2D): tf.Tensor2D => tf.div(x, tf.add(tf.sqrt(tf.sum(tf.square(x))), TINY));

/**
 * sigma = u^T W v, float32 []; its gradient is u v^T: nothing is learned of u and v.
 * @param W float32 [m, n]. @param start of u, not 0: float32 [m].
 */
export function spectralNorm(W: tf.Tensor2D, start: tf.Tensor1D, iterations: number): tf.Scalar {
  return tf.customGrad((given, save) => {
    const matrix = given as tf.Tensor2D;
    let u = tf.reshape(start, [-1, 1]) as tf.Tensor2D;
    let v = u;
    for (let k = 0; k < iterations; k++) {
      v = unit(tf.matMul(matrix, u, true));
      u = unit(tf.matMul(matrix, v));
    }
    const value = tf.sum(tf.mul(u, tf.matMul(matrix, v)));
    (save as (tensors: tf.Tensor[]) => void)([u, v]);
    const gradFunc = (dy: tf.Tensor, saved: tf.Tensor[]) =>
      tf.mul(dy, tf.matMul(saved[0] as tf.Tensor2D, saved[1] as tf.Tensor2D, false, true));
    return { value, gradFunc };
  })(W) as tf.Scalar;
}
