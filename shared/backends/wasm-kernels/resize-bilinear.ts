// The gradient of bilinear resizing. tfjs's knows no half-pixel centres: it silently gives that of the legacy mapping.

import type { TensorInfo } from "@tensorflow/tfjs-core";
import { defineKernel, type HeapKernels, type KernelCall } from "./heap.ts";

export function registerResizeBilinearGradient(kernels: HeapKernels): void {
  defineKernel("ResizeBilinearGrad", kernels, gradient);
}

/** Every output pixel hands its gradient to the (up to) four input pixels that it was mixed from, by their weights. */
function gradient(call: KernelCall): TensorInfo {
  const { dy, images } = call.inputs as { dy: TensorInfo; images: TensorInfo };
  const { alignCorners, halfPixelCenters } = call.attrs as { alignCorners: boolean; halfPixelCenters?: boolean };
  const [B, H, W, C] = images.shape as [number, number, number, number];
  const [, h, w] = dy.shape as [number, number, number];
  const rows = taps(h, H, alignCorners, halfPixelCenters ?? false);
  const columns = taps(w, W, alignCorners, halfPixelCenters ?? false);
  const out = call.output(images.shape);
  const [y, dx] = [call.floats(dy), call.floats(out)];
  dx.fill(0);
  for (let n = 0; n < B; n++)
    rows.forEach((pair, i) => {
      columns.forEach((other, j) => {
        const from = ((n * h + i) * w + j) * C;
        for (const [r, p] of pair)
          for (const [q, s] of other) {
            const to = ((n * H + r) * W + q) * C;
            const weight = p * s;
            for (let c = 0; c < C; c++) dx[to + c]! += weight * y[from + c]!;
          }
      });
    });
  return out;
}

type Tap = readonly [pixel: number, weight: number];

/** For each of `to` output pixels, the two input pixels of `from` around its centre, as TensorFlow maps it. */
function taps(to: number, from: number, alignCorners: boolean, halfPixelCenters: boolean): (readonly Tap[])[] {
  const step = alignCorners && to > 1 ? (from - 1) / (to - 1) : from / to;
  return Array.from({ length: to }, (_, i) => {
    const centre = halfPixelCenters ? Math.max(0, (i + 0.5) * step - 0.5) : i * step;
    const low = Math.min(from - 1, Math.floor(centre));
    const high = Math.min(from - 1, low + 1);
    return [
      [low, 1 - (centre - low)],
      [high, centre - low],
    ] as const;
  });
}
