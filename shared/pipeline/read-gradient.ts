import * as tf from "@tensorflow/tfjs-core";
import type { PlacedTensor } from "../tensor/layout.ts";

/**
 * What a micro-batch's computation gave, from the device. @param outputs loss and gradients of `tensors`, in their order; disposed.
 * @param gradient out: every element written, 0 beside these tensors. @returns the loss.
 */
export async function readGradient(
  outputs: readonly tf.Tensor[],
  tensors: readonly PlacedTensor[],
  gradient: Float32Array,
): Promise<number> {
  try {
    const [loss, ...grads] = await Promise.all(outputs.map((output) => output.data<"float32">()));
    gradient.fill(0);
    tensors.forEach(({ offset }, i) => gradient.set(grads[i]!, offset));
    return loss![0]!;
  } finally {
    tf.dispose([...outputs]);
  }
}
