import { describe, expect, it } from "vitest";
import { frechetDistance, gaussianOf, symmetricEigen } from "../../shared/eval/frechet.ts";
import { normals, PURPOSE } from "../../shared/rng/stream.ts";

const draw = (index: number, n: number) => normals({ seed: 2, purpose: PURPOSE.canary, step: 0, index }, n);

describe("the Fréchet distance", () => {
  it("is the closed form for diagonal Gaussians: squared gaps of means and of standard deviations", () => {
    const diagonal = (mean: number[], std: number[]) => {
      const d = mean.length;
      const covariance = new Float64Array(d * d);
      std.forEach((s, i) => {
        covariance[i * d + i] = s * s;
      });
      return { mean: Float64Array.from(mean), covariance, d };
    };
    const a = diagonal([0, 1, 2], [1, 2, 0.5]);
    const b = diagonal([1, 1, 0], [3, 2, 1]);
    expect(frechetDistance(a, b)).toBeCloseTo(1 + 4 + 4 + 0 + 0.25, 9);
    expect(frechetDistance(a, a)).toBeCloseTo(0, 9);
  });

  it("is symmetric, and unchanged when both sets are turned alike", () => {
    const [n, d] = [400, 4];
    const [x, y] = [draw(0, n * d), draw(1, n * d).map((v, i) => v * (1 + (i % d)) + (i % 3))];
    const turned = (v: Float32Array) =>
      v.map((_, i) => (i % 2 === 0 ? 0.6 * v[i]! - 0.8 * v[i + 1]! : 0.8 * v[i - 1]! + 0.6 * v[i]!));
    const distance = frechetDistance(gaussianOf({ values: x, d }), gaussianOf({ values: y, d }));
    expect(distance).toBeGreaterThan(1);
    expect(frechetDistance(gaussianOf({ values: y, d }), gaussianOf({ values: x, d }))).toBeCloseTo(distance, 6);
    expect(frechetDistance(gaussianOf({ values: turned(x), d }), gaussianOf({ values: turned(y), d }))).toBeCloseTo(
      distance,
      3,
    );
  });

  it("rests on eigenvectors that put the matrix together again", () => {
    const d = 12;
    const { covariance } = gaussianOf({ values: draw(3, 40 * d), d });
    const { values, vectors } = symmetricEigen(covariance, d);
    for (let i = 0; i < d; i++)
      for (let j = 0; j < d; j++) {
        let sum = 0;
        for (let k = 0; k < d; k++) sum += vectors[i * d + k]! * values[k]! * vectors[j * d + k]!;
        expect(sum).toBeCloseTo(covariance[i * d + j]!, 9);
      }
  });
});
