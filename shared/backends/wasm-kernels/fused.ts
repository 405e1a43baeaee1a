// The fused kernels that shared/nn asks for by name, and the small ones around them: group norm with SiLU and its
// gradient, SiLU, column sums, 2x resampling, scatter-add for embeddings.

import type { TensorInfo } from "@tensorflow/tfjs-core";
import { defineKernel, type HeapKernels, sizeOf } from "./heap.ts";

export function registerFusedKernels(kernels: HeapKernels): void {
  defineKernel("PlumeSilu", kernels, ({ inputs, kernels, output, at }) => {
    const x = inputs.x!;
    const y = output(x.shape);
    kernels.silu!(at(x), at(y), sizeOf(x.shape));
    return y;
  });

  defineKernel("PlumeSiluGrad", kernels, ({ inputs, kernels, output, at }) => {
    const { x, dy } = inputs as { x: TensorInfo; dy: TensorInfo };
    const dx = output(x.shape);
    kernels.siluGrad!(at(x), at(dy), at(dx), sizeOf(x.shape));
    return dx;
  });

  // x [B, H, W, C]; a, b [B or 1, C] -> y, stats [B, G, 2]
  defineKernel("PlumeGroupNorm", kernels, ({ inputs, attrs, kernels, output, at, dispose }) => {
    const { x, a, b } = inputs as { x: TensorInfo; a: TensorInfo; b: TensorInfo };
    const { groups, eps, silu } = attrs as { groups: number; eps: number; silu: boolean };
    const { B, HW, C, stride } = geometry(x, a);
    const y = output(x.shape);
    const stats = output([B, groups, 2]);
    const sums = output([2, C]);
    kernels.groupNorm!(at(x), at(a), at(b), at(y), at(stats), at(sums), B, HW, C, groups, stride, eps, Number(silu));
    dispose(sums);
    return [y, stats];
  });

  // -> dx, da [B, C], db [B, C]
  defineKernel("PlumeGroupNormGrad", kernels, ({ inputs, attrs, kernels, output, at, dispose }) => {
    const { dy, x, a, b, stats } = inputs as Record<"dy" | "x" | "a" | "b" | "stats", TensorInfo>;
    const { groups, silu } = attrs as { groups: number; silu: boolean };
    const { B, HW, C, stride } = geometry(x, a);
    const dx = output(x.shape);
    const da = output([B, C]);
    const db = output([B, C]);
    const sums = output([3, C]);
    kernels.groupNormGrad!(
      at(dy),
      at(x),
      at(a),
      at(b),
      at(stats),
      at(dx),
      at(da),
      at(db),
      at(sums),
      B,
      HW,
      C,
      groups,
      stride,
      Number(silu),
    );
    dispose(sums);
    return [dx, da, db];
  });

  // x [..., C] -> [C]
  defineKernel("PlumeColumnSums", kernels, ({ inputs, kernels, output, at }) => {
    const x = inputs.x!;
    const C = x.shape.at(-1)!;
    const out = output([C]);
    kernels.columnSums!(at(x), at(out), sizeOf(x.shape) / C, C);
    return out;
  });

  // x [B, H, W, C] -> [B, 2H, 2W, C]
  defineKernel("PlumeUpsample2", kernels, ({ inputs, kernels, output, at }) => {
    const x = inputs.x!;
    const [B, H, W, C] = x.shape as [number, number, number, number];
    const y = output([B, 2 * H, 2 * W, C]);
    kernels.upsample2!(at(x), at(y), B, H, W, C);
    return y;
  });

  // x [B, 2H, 2W, C] -> [B, H, W, C], each the sum of four times `factor`
  defineKernel("PlumeDownsample2", kernels, ({ inputs, attrs, kernels, output, at }) => {
    const x = inputs.x!;
    const [B, H, W, C] = x.shape as [number, number, number, number];
    const y = output([B, H / 2, W / 2, C]);
    kernels.downsample2!(at(x), at(y), B, H / 2, W / 2, C, (attrs as { factor: number }).factor);
    return y;
  });

  // dy [N, C], ids int32 [N] -> [rows, C]: the gradient of an embedding; rows add in index order.
  defineKernel("UnsortedSegmentSum", kernels, ({ inputs, attrs, backend, output, at, floats }) => {
    const { x, segmentIds } = inputs as { x: TensorInfo; segmentIds: TensorInfo };
    const { numSegments } = attrs as { numSegments: number };
    const C = sizeOf(x.shape.slice(1));
    const out = output([numSegments, ...x.shape.slice(1)]);
    const ids = new Int32Array(backend.wasm.HEAPU8.buffer, at(segmentIds), x.shape[0]);
    const [from, to] = [floats(x), floats(out)];
    to.fill(0);
    ids.forEach((row, i) => {
      if (row < 0 || row >= numSegments) return; // as TensorFlow: a row of no segment is dropped
      for (let c = 0; c < C; c++) to[row * C + c]! += from[i * C + c]!;
    });
    return out;
  });
}

function geometry(x: TensorInfo, a: TensorInfo) {
  const C = x.shape.at(-1)!;
  const B = x.shape[0]!;
  return { B, C, HW: sizeOf(x.shape) / (B * C), stride: a.shape[0] === 1 && B > 1 ? 0 : C };
}
