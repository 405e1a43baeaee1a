// Product, bias and activation in one call. tfjs's kernel is wrong for sums of more than 48 terms with a transpose or a
// batch: it adds the bias and clips once for every block of 48.

import type { TensorInfo } from "@tensorflow/tfjs-core";
import { PlumeError } from "../../errors.ts";
import { defineKernel, type HeapKernels, type KernelCall } from "./heap.ts";

export function registerFusedMatMul(kernels: HeapKernels): void {
  defineKernel("_FusedMatMul", kernels, fusedMatMul);
}

const ACTIVATIONS: Readonly<Record<string, string | null>> = {
  linear: null,
  relu: "Relu",
  relu6: "Relu6",
  elu: "Elu",
  sigmoid: "Sigmoid",
  leakyrelu: "LeakyRelu",
  prelu: "Prelu",
};

/** y = activation(a b + bias), one after the other. */
function fusedMatMul(call: KernelCall): TensorInfo {
  const { a, b, bias, preluActivationWeights } = call.inputs as Record<string, TensorInfo>;
  const { transposeA, transposeB, activation, leakyreluAlpha } = call.attrs as Record<string, unknown>;
  const kernel = ACTIVATIONS[String(activation)];
  if (kernel === undefined)
    throw new PlumeError("INVALID_ARGUMENT", `_FusedMatMul: the activation ${activation} is not known`, {
      remedy: `use one of ${Object.keys(ACTIVATIONS).join(", ")}`,
    });
  let y = call.run("BatchMatMul", { a: a!, b: b! }, { transposeA, transposeB });
  const then = (name: string, inputs: Record<string, TensorInfo>, attrs = {}) => {
    const next = call.run(name, inputs, attrs);
    call.dispose(y);
    y = next;
  };
  if (bias) then("Add", { a: y, b: bias });
  if (kernel === "Prelu") then(kernel, { x: y, alpha: preluActivationWeights! });
  else if (kernel) then(kernel, { x: y }, { alpha: leakyreluAlpha });
  return y;
}
