import { describe, expect, it } from "vitest";
import { squaredEnergyDistance } from "../../shared/eval/energy-distance.ts";
import { inceptionScore } from "../../shared/eval/inception-score.ts";
import { kernelDistance } from "../../shared/eval/kernel-distance.ts";
import { kolmogorovSmirnov } from "../../shared/eval/kolmogorov-smirnov.ts";
import { cubicKernel, squaredMmd } from "../../shared/eval/mmd.ts";
import { manifoldOf, precisionRecall } from "../../shared/eval/precision-recall.ts";
import type { Rows } from "../../shared/eval/rows.ts";
import { wasserstein1 } from "../../shared/eval/wasserstein.ts";
import { normals, PURPOSE } from "../../shared/rng/stream.ts";

const draw = (index: number, n: number, shift = 0): Rows => ({
  values: normals({ seed: 4, purpose: PURPOSE.canary, step: 0, index }, n * 2).map((v) => v + shift),
  d: 2,
});

describe("distances between samples", () => {
  it("on a line see a shift, and count ties on both sides at once", () => {
    const x = [0, 1, 1, 2];
    expect(kolmogorovSmirnov(x, [...x].reverse())).toBe(0);
    expect(kolmogorovSmirnov(x, [1, 1])).toBe(0.25);
    expect(kolmogorovSmirnov(x, [7])).toBe(1);
    expect(
      wasserstein1(
        x,
        x.map((v) => v + 3),
      ),
    ).toBeCloseTo(3, 12);
    expect(wasserstein1([0, 4], [2])).toBe(2);
  });

  it("grow as the sets come apart; the unbiased ones are near 0, the energy distance is 0, for one set twice", () => {
    const [x, y, far] = [draw(0, 300), draw(1, 300), draw(2, 300, 1)];
    expect(Math.abs(kernelDistance(x, y))).toBeLessThan(0.1);
    expect(kernelDistance(x, far)).toBeGreaterThan(1);
    expect(squaredEnergyDistance(x, x)).toBeCloseTo(0, 9);
    expect(squaredEnergyDistance(x, far)).toBeGreaterThan(10 * squaredEnergyDistance(x, y));
  });

  it("are averaged over parts where a set is too large for all its pairs", () => {
    const [x, y] = [draw(3, 5002), draw(4, 40, 0.5)];
    const part = ({ values, d }: Rows, from: number, to: number): Rows => ({
      values: Array.from(values).slice(from * d, to * d),
      d,
    });
    const halves = [
      squaredMmd(part(x, 0, 2501), part(y, 0, 20), cubicKernel),
      squaredMmd(part(x, 2501, 5002), part(y, 20, 40), cubicKernel),
    ];
    expect(kernelDistance(x, y)).toBeCloseTo((halves[0]! + halves[1]!) / 2, 9);
  });
});

describe("precision and recall", () => {
  it("tell bad samples from missing ones", () => {
    const rows = (...values: number[]): Rows => ({ values, d: 1 });
    const reference = manifoldOf(rows(0, 1, 2, 10, 11, 12), 1);
    expect(precisionRecall(reference, manifoldOf(rows(0, 1, 2), 1))).toEqual({ precision: 1, recall: 0.5 });
    const stray = manifoldOf(rows(0, 1, 2, 10, 11, 12, 50, 51), 1);
    expect(precisionRecall(reference, stray)).toEqual({ precision: 0.75, recall: 1 });
  });
});

describe("the inception score", () => {
  it("is the number of classes where each is sure and all come, and 1 where none is told apart", () => {
    const sure: Rows = { values: [1, 0, 0, 0, 1, 0, 0, 0, 1], d: 3 };
    expect(inceptionScore(sure, 3)).toBeCloseTo(3, 12);
    expect(inceptionScore(sure, 1)).toBeCloseTo(1, 12);
    expect(inceptionScore({ values: new Array<number>(6).fill(1 / 3), d: 3 }, 2)).toBeCloseTo(1, 12);
  });
});
