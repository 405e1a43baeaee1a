// The Fréchet distance between two sets of feature vectors, each taken as a Gaussian (Dowson and Landau 1982; Heusel et
// al. 2017): |m1 - m2|^2 + tr(C1 + C2 - 2 (C1 C2)^(1/2)), in float64.

import type { Rows } from "./rows.ts";

export interface Gaussian {
  readonly mean: Float64Array;
  /** Row-major [d, d], unbiased. */
  readonly covariance: Float64Array;
  readonly d: number;
}

/** @param features at least two rows. */
export function gaussianOf({ values: features, d }: Rows): Gaussian {
  const n = features.length / d;
  const mean = new Float64Array(d);
  for (let i = 0; i < features.length; i++) mean[i % d]! += features[i]! / n;
  const covariance = new Float64Array(d * d);
  for (let row = 0; row < n; row++)
    for (let i = 0; i < d; i++) {
      const a = features[row * d + i]! - mean[i]!;
      for (let j = 0; j <= i; j++) covariance[i * d + j]! += (a * (features[row * d + j]! - mean[j]!)) / (n - 1);
    }
  for (let i = 0; i < d; i++) for (let j = 0; j < i; j++) covariance[j * d + i] = covariance[i * d + j]!;
  return { mean, covariance, d };
}

/** @param eps added to both covariances' diagonals, as k-diffusion does. */
export function frechetDistance(a: Gaussian, b: Gaussian, eps = 0): number {
  const { d } = a;
  const [covarianceA, covarianceB] = [regularised(a, eps), regularised(b, eps)];
  let distance = 0;
  for (let i = 0; i < d; i++) {
    const gap = a.mean[i]! - b.mean[i]!;
    distance += gap * gap + covarianceA[i * d + i]! + covarianceB[i * d + i]!;
  }
  // tr (A B)^(1/2) = tr (A^(1/2) B A^(1/2))^(1/2), and that matrix is symmetric.
  const root = symmetricRoot(covarianceA, d);
  const { values } = symmetricEigen(multiply(multiply(root, covarianceB, d), root, d), d);
  for (const value of values) distance -= 2 * Math.sqrt(Math.max(0, value));
  return Math.max(0, distance);
}

const regularised = ({ covariance, d }: Gaussian, eps: number): Float64Array =>
  covariance.map((value, i) => (i % (d + 1) === 0 ? value + eps : value));

function multiply(a: Float64Array, b: Float64Array, d: number): Float64Array {
  const out = new Float64Array(d * d);
  for (let i = 0; i < d; i++)
    for (let k = 0; k < d; k++) {
      const x = a[i * d + k]!;
      for (let j = 0; j < d; j++) out[i * d + j]! += x * b[k * d + j]!;
    }
  return out;
}

/** The symmetric square root of a symmetric matrix; negative eigenvalues (rounding) count as 0. */
function symmetricRoot(matrix: Float64Array, d: number): Float64Array {
  const { values, vectors } = symmetricEigen(matrix, d);
  const scaled = vectors.slice();
  for (let i = 0; i < d; i++) for (let j = 0; j < d; j++) scaled[i * d + j]! *= Math.sqrt(Math.max(0, values[j]!));
  const transposed = new Float64Array(d * d);
  for (let i = 0; i < d; i++) for (let j = 0; j < d; j++) transposed[j * d + i] = vectors[i * d + j]!;
  return multiply(scaled, transposed, d);
}

/** Jacobi's cyclic method: eigenvalues, and eigenvectors in the columns. */
export function symmetricEigen(matrix: Float64Array, d: number): { values: Float64Array; vectors: Float64Array } {
  const a = matrix.slice();
  const vectors = new Float64Array(d * d);
  for (let i = 0; i < d; i++) vectors[i * d + i] = 1;
  for (let sweep = 0; sweep < 60; sweep++) {
    let off = 0;
    let diagonal = 0;
    for (let i = 0; i < d; i++) {
      diagonal += a[i * d + i]! * a[i * d + i]!;
      for (let j = 0; j < i; j++) off += a[i * d + j]! * a[i * d + j]!;
    }
    if (off <= 1e-30 * Math.max(diagonal, 1e-300)) break;
    for (let p = 0; p < d; p++) for (let q = p + 1; q < d; q++) rotate(a, vectors, d, p, q);
  }
  return { values: Float64Array.from({ length: d }, (_, i) => a[i * d + i]!), vectors };
}

/** Turns the plane (p, q) so that a[p, q] becomes 0. */
function rotate(a: Float64Array, vectors: Float64Array, d: number, p: number, q: number): void {
  const apq = a[p * d + q]!;
  if (apq === 0) return;
  const theta = (a[q * d + q]! - a[p * d + p]!) / (2 * apq);
  const t = (theta >= 0 ? 1 : -1) / (Math.abs(theta) + Math.sqrt(theta * theta + 1));
  const c = 1 / Math.sqrt(t * t + 1);
  const s = t * c;
  const turn = (m: Float64Array, x: number, y: number) => {
    const [u, v] = [m[x]!, m[y]!];
    m[x] = c * u - s * v;
    m[y] = s * u + c * v;
  };
  for (let k = 0; k < d; k++) turn(a, k * d + p, k * d + q);
  for (let k = 0; k < d; k++) turn(a, p * d + k, q * d + k);
  for (let k = 0; k < d; k++) turn(vectors, k * d + p, k * d + q);
}
