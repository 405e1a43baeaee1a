import * as tf from "@tensorflow/tfjs-core";

/** x, of which nothing is learned. */
export function stopGradient<X extends tf.Tensor>(x: X): X {
  return tf.customGrad((input) => ({
    value: tf.clone(input as tf.Tensor),
    gradFunc: (dy: tf.Tensor) => tf.zerosLike(dy),
  }))(x) as X;
}
