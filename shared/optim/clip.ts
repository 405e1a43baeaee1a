/** Factor that brings a gradient of this global norm to at most maxNorm, as torch's clip_grad_norm_ has it; 1 without a bound. */
export function clipCoefficient(norm: number, maxNorm: number | null): number {
  return maxNorm === null ? 1 : Math.min(1, maxNorm / (norm + 1e-6));
}
