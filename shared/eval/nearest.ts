// How far images are from the nearest of many others: pixel by pixel, as an image that was learned by heart is at 0.

import * as tf from "@tensorflow/tfjs-core";

/** Of the others, compared at once: bounds the memory. */
const CHUNK = 4000;
const BATCH = 500;

/**
 * @param images, others uint8 rows of `size` values.
 * @returns float64 [n]: the root of the summed squares of differences, values from 0 to 1.
 */
export function nearestDistances(images: Uint8Array, others: Uint8Array, size: number): Float64Array {
  const n = images.length / size;
  const nearest = Int32Array.from(nearestOf(images, others, size));
  // float32 finds the nearest; its distance is then computed exactly, so that a copy is at 0.
  return Float64Array.from({ length: n }, (_, i) => {
    let sum = 0;
    for (let k = 0; k < size; k++) {
      const gap = images[i * size + k]! - others[nearest[i]! * size + k]!;
      sum += gap * gap;
    }
    return Math.sqrt(sum) / 255;
  });
}

/** The number of the nearest other of each image. */
function nearestOf(images: Uint8Array, others: Uint8Array, size: number): Int32Array {
  const n = images.length / size;
  const least = new Float32Array(n).fill(Number.POSITIVE_INFINITY);
  const nearest = new Int32Array(n);
  for (let from = 0; from < others.length / size; from += CHUNK)
    tf.tidy(() => {
      const chunk = matrix(others, from, CHUNK, size);
      const norms = tf.sum(tf.square(chunk), 1);
      for (let first = 0; first < n; first += BATCH) {
        const batch = matrix(images, first, BATCH, size);
        // |a - b|^2 without |a|^2, which is the same for all others.
        const apart = tf.sub(norms, tf.mul(tf.matMul(batch, chunk, false, true), 2));
        const [values, at] = [tf.min(apart, 1).dataSync(), tf.argMin(apart, 1).dataSync()];
        values.forEach((value, i) => {
          if (value >= least[first + i]!) return;
          least[first + i] = value;
          nearest[first + i] = from + at[i]!;
        });
      }
    });
  return nearest;
}

/** Values from 0 to 255: what is nearest does not depend on the unit. */
function matrix(bytes: Uint8Array, from: number, count: number, size: number): tf.Tensor2D {
  const rows = bytes.subarray(from * size, (from + count) * size);
  return tf.tensor2d(new Float32Array(rows), [rows.length / size, size]);
}
