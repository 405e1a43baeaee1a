import * as tf from "@tensorflow/tfjs-core";
import type { PlacedTensor } from "../tensor/layout.ts";

/**
 * What a micro-batch's computation gave, from the device. @param outputs loss, or one a sample, and gradients of `tensors`, in their order; disposed.
 * @param gradient out: every element written, 0 beside these tensors. @returns the loss, or those of the samples.
 */
export async function readGradient(
  outputs: readonly tf.Tensor[],
  tensors: readonly PlacedTensor[],
  gradient: Float32Array,
): Promise<Float32Array> {
  try {
    const [value, ...grads] = await Promise.all(outputs.map((output) => output.data<"float32">()));
    gradient.fill(0);
    tensors.forEach(({ offset }, i) => gradient.set(grads[i]!, offset));
    return value!;
  } finally {
    tf.dispose([...outputs]);
  }
}
