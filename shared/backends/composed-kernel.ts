// Kernels that are made of other kernels of the same backend.

import * as tf from "@tensorflow/tfjs-core";

export type KernelInputs = Readonly<Record<string, tf.Tensor>>;

/** Registers it in place of the backend's own, if there is one. What it allocates besides its result is freed. */
export function defineKernel(
  backendName: string,
  kernelName: string,
  run: (inputs: KernelInputs, attrs: tf.NamedAttrMap, backend: unknown) => tf.Tensor,
): void {
  if (tf.getKernel(kernelName, backendName)) tf.unregisterKernel(kernelName, backendName);
  tf.registerKernel({
    kernelName,
    backendName,
    kernelFunc: ({ inputs, attrs, backend }) => tf.tidy(() => run(inputs as KernelInputs, attrs ?? {}, backend)),
  });
}
