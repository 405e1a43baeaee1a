// Kernels of the wasm backend whose results are wrong: right ones in their place, or a refusal by name.

import { backend_util, type TensorInfo } from "@tensorflow/tfjs-core";
import { PlumeError } from "../../errors.ts";
import { defineKernel, type HeapKernels, type KernelCall } from "./heap.ts";

export function registerRepairs(kernels: HeapKernels): void {
  defineKernel("MaxPoolGrad", kernels, maxPoolGradient);
  defineKernel("_FusedMatMul", kernels, fusedMatMul);
  defineKernel("Conv3DBackpropInputV2", kernels, () => {
    throw new PlumeError("FAILED_PRECONDITION", "Conv3DBackpropInputV2: the wasm backend computes wrong gradients", {
      remedy: "train two-dimensional convolutions on it",
    });
  });
}

/** tfjs starts a window's maximum from the smallest positive number: a window without one gets a wrong gradient. */
function maxPoolGradient(call: KernelCall): TensorInfo {
  const { dy, input } = call.inputs as { dy: TensorInfo; input: TensorInfo };
  const { filterSize, strides, pad, dimRoundingMode } = call.attrs as {
    filterSize: number;
    strides: number;
    pad: Parameters<typeof backend_util.computePool2DInfo>[4];
    dimRoundingMode?: "floor" | "round" | "ceil";
  };
  const shape = input.shape as [number, number, number, number];
  const info = backend_util.computePool2DInfo(shape, filterSize, strides, 1, pad, dimRoundingMode);
  const dx = call.output(shape);
  const [x, y, d] = [input, dy, dx].map((tensor) => call.at(tensor) / 4) as [number, number, number];
  const floats = call.backend.wasm.HEAPF32;
  const { inHeight: H, inWidth: W, inChannels: C, outHeight, outWidth, strideHeight, strideWidth, padInfo } = info;
  floats.fill(0, d, d + info.batchSize * H * W * C);
  for (let n = 0; n < info.batchSize; n++)
    for (let i = 0; i < outHeight; i++)
      for (let j = 0; j < outWidth; j++)
        for (let c = 0; c < C; c++) {
          const [top, left] = [i * strideHeight - padInfo.top, j * strideWidth - padInfo.left];
          let best = -1; // the first of the largest, as TensorFlow takes it
          for (let r = Math.max(0, top); r < Math.min(H, top + info.filterHeight); r++)
            for (let q = Math.max(0, left); q < Math.min(W, left + info.filterWidth); q++) {
              const at = ((n * H + r) * W + q) * C + c;
              if (best < 0 || floats[x + at]! > floats[x + best]!) best = at;
            }
          if (best >= 0) floats[d + best]! += floats[y + ((n * outHeight + i) * outWidth + j) * C + c]!;
        }
  return dx;
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

/** tfjs adds the bias and clips once for every 48 terms of the sum; here product, bias and activation come in turn. */
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
