// Gradients of pooling. tfjs's are wrong: the largest element is sought from the smallest positive number up, so a window
// without a positive value gets a wrong gradient; the mean's is divided by the whole window where padding took no part.

import { backend_util, type TensorInfo } from "@tensorflow/tfjs-core";
import { defineKernel, type HeapKernels, type KernelCall } from "./heap.ts";

export function registerPoolingGradients(kernels: HeapKernels): void {
  // To the first of the largest elements, as TensorFlow gives it.
  defineKernel("MaxPoolGrad", kernels, (call) =>
    poolGradient(call, (inside, gradient, x, dx) => {
      let best = inside[0]!;
      for (const at of inside) if (x[at]! > x[best]!) best = at;
      dx[best]! += gradient;
    }),
  );
  // In equal shares to the elements inside the image.
  defineKernel("AvgPoolGrad", kernels, (call) =>
    poolGradient(call, (inside, gradient, _x, dx) => {
      for (const at of inside) dx[at]! += gradient / inside.length;
    }),
  );
}

/** Gives the gradient of one window to the elements it covers, by their positions in x and dx. */
type Share = (inside: readonly number[], gradient: number, x: Float32Array, dx: Float32Array) => void;

function poolGradient(call: KernelCall, share: Share): TensorInfo {
  const { dy, input } = call.inputs as { dy: TensorInfo; input: TensorInfo };
  const { filterSize, strides, pad, dimRoundingMode } = call.attrs as {
    filterSize: number;
    strides: number;
    pad: Parameters<typeof backend_util.computePool2DInfo>[4];
    dimRoundingMode?: "floor" | "round" | "ceil";
  };
  const shape = input.shape as [number, number, number, number];
  const info = backend_util.computePool2DInfo(shape, filterSize, strides, 1, pad, dimRoundingMode);
  const { batchSize, inHeight: H, inWidth: W, inChannels: C, outHeight, outWidth, padInfo } = info;
  const out = call.output(shape);
  const [x, y, dx] = [call.floats(input), call.floats(dy), call.floats(out)];
  dx.fill(0);
  for (let n = 0; n < batchSize; n++)
    for (let i = 0; i < outHeight; i++)
      for (let j = 0; j < outWidth; j++) {
        const [top, left] = [i * info.strideHeight - padInfo.top, j * info.strideWidth - padInfo.left];
        const pixels: number[] = [];
        for (let r = Math.max(0, top); r < Math.min(H, top + info.filterHeight); r++)
          for (let q = Math.max(0, left); q < Math.min(W, left + info.filterWidth); q++)
            pixels.push(((n * H + r) * W + q) * C);
        if (pixels.length === 0) continue; // a window of padding alone
        const from = ((n * outHeight + i) * outWidth + j) * C;
        const inside = pixels.slice();
        for (let c = 0; c < C; c++) {
          for (let k = 0; k < pixels.length; k++) inside[k] = pixels[k]! + c;
          share(inside, y[from + c]!, x, dx);
        }
      }
  return out;
}
