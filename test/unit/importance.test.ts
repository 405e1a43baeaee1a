import { describe, expect, it } from "vitest";
import {
  drawTimesteps,
  emptyHistory,
  lossMultipliers,
  timestepWeights,
  withLosses,
} from "../../shared/diffusion/importance.ts";
import { PURPOSE, uniforms } from "../../shared/rng/stream.ts";

const key = { seed: 3, purpose: PURPOSE.time, step: 0, index: 0 } as const;

describe("the importance of time steps", () => {
  it("is the same for all steps until each has its losses, and then that of the newest", () => {
    const early = withLosses(emptyHistory(2, 2), [0, 0, 1], [9, 1, 1]);
    expect([...timestepWeights(early)]).toEqual([1, 1]);
    const late = withLosses(early, [0, 1], [1, 3]);
    expect([...timestepWeights(late, 0)]).toEqual([1 / (1 + Math.sqrt(5)), Math.sqrt(5) / (1 + Math.sqrt(5))]);
    expect([...timestepWeights(early)]).toEqual([1, 1]);
  });

  it("draws each step as often as its weight says, and what a draw counts keeps the mean of uniform steps", () => {
    const weights = Float64Array.of(0.1, 0.6, 0, 0.3);
    const drawn = drawTimesteps(weights, uniforms(key, 20_000));
    const shares = [0, 1, 2, 3].map((t) => drawn.filter((step) => step === t).length / drawn.length);
    for (const [t, share] of shares.entries()) expect(share).toBeCloseTo(weights[t]!, 2);
    const multipliers = lossMultipliers(Float64Array.of(0.1, 0.6, 0.3));
    const mean = [5, 7, 9].reduce((sum, loss, t) => sum + [0.1, 0.6, 0.3][t]! * multipliers[t]! * loss, 0);
    expect(mean).toBeCloseTo(7, 12);
  });

  it("a share at the very end draws the last step", () => {
    expect([...drawTimesteps(Float64Array.of(1, 1, 1), Float64Array.of(0, 0.34, 1 - 2 ** -32))]).toEqual([0, 1, 2]);
  });
});
