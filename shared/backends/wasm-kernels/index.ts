// All kernels that plume adds to, or replaces in, TensorFlow.js's wasm backend.

import { registerConvolutionGradients } from "./convolution.ts";
import { registerFusedKernels } from "./fused.ts";
import type { HeapKernels } from "./heap.ts";
import { registerMatMul } from "./mat-mul.ts";
import { registerMoving } from "./moving.ts";
import { registerReductions } from "./reductions.ts";
import { registerRepairs } from "./repaired.ts";

export function registerKernels(kernels: HeapKernels): void {
  registerConvolutionGradients(kernels);
  registerMatMul(kernels);
  registerFusedKernels(kernels);
  registerReductions(kernels);
  registerMoving(kernels);
  registerRepairs(kernels);
}
