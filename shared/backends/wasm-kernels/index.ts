// All kernels that plume adds to, or replaces in, TensorFlow.js's wasm backend.

import { registerConvolutionGradients } from "./convolution.ts";
import { registerFusedKernels } from "./fused.ts";
import { registerFusedMatMul } from "./fused-mat-mul.ts";
import type { HeapKernels } from "./heap.ts";
import { registerMatMul } from "./mat-mul.ts";
import { registerMoving } from "./moving.ts";
import { registerPoolingGradients } from "./pooling.ts";
import { registerReductions } from "./reductions.ts";
import { registerRefusals } from "./refused.ts";
import { registerResizeBilinearGradient } from "./resize-bilinear.ts";
import { registerWinograd } from "./winograd.ts";

export function registerKernels(kernels: HeapKernels): void {
  registerWinograd(kernels);
  registerConvolutionGradients(kernels);
  registerMatMul(kernels);
  registerFusedKernels(kernels);
  registerReductions(kernels);
  registerMoving(kernels);
  registerFusedMatMul(kernels);
  registerPoolingGradients(kernels);
  registerResizeBilinearGradient(kernels);
  registerRefusals(kernels);
}
