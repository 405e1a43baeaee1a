// Training kernels in the heap of TensorFlow.js's wasm backend, compiled by AssemblyScript (shared/kernels/build.mjs).
// Pointers are byte offsets in that heap; tensors are float32, channels last. No static data, no allocation, no relaxed
// SIMD.

export * from "./filter-gradient";
export * from "./gemm";
export { groupNorm, groupNormGrad } from "./group-norm";
export * from "./moving";
export * from "./resampling";
export { silu, siluGrad } from "./silu";
export * from "./sums";
export * from "./winograd";
