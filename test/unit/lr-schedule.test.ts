import { describe, expect, it } from "vitest";
import { parseJob } from "../../shared/config/load.ts";
import { learningRate, linearAnneal } from "../../shared/optim/lr-schedule.ts";

function training(schedule: "constant" | "cosine", warmup = 10, steps = 110) {
  return parseJob(`
metadata: { name: lr }
spec:
  data: { source: "shapes:64", imageSize: 8 }
  training: { steps: ${steps}, warmup: ${warmup}, schedule: ${schedule}, optimizer: { lr: 0.5 } }`).spec.training;
}

describe("the learning rate", () => {
  it("rises linearly and reaches its peak with the last step of the warm-up", () => {
    const t = training("constant");
    expect(learningRate(t, 0)).toBeCloseTo(0.05, 15);
    expect(learningRate(t, 4)).toBeCloseTo(0.25, 15);
    expect(learningRate(t, 9)).toBe(0.5);
    expect(learningRate(t, 10)).toBe(0.5);
  });

  it("stays at its peak when constant", () => {
    expect(learningRate(training("constant"), 109)).toBe(0.5);
    expect(learningRate(training("constant", 0), 0)).toBe(0.5);
  });

  it("falls as half a cosine: the peak after the warm-up, half of it midway, 0 after the last step", () => {
    const t = training("cosine");
    expect(learningRate(t, 10)).toBe(0.5);
    expect(learningRate(t, 60)).toBeCloseTo(0.25, 12);
    expect(learningRate(t, 109)).toBeGreaterThan(0);
    expect(learningRate(t, 109)).toBeLessThan(2e-4);
    expect(learningRate(t, 110)).toBeCloseTo(0, 15);
    expect(learningRate(t, 1000)).toBeCloseTo(0, 15);
  });

  it("never rises once the warm-up is over", () => {
    const t = training("cosine");
    for (let step = 11; step < 110; step++) expect(learningRate(t, step)).toBeLessThan(learningRate(t, step - 1));
  });

  it("is finite when the warm-up is as long as the run", () => {
    const t = training("cosine", 5, 5);
    expect([0, 1, 2, 3, 4, 5].map((step) => learningRate(t, step)).every(Number.isFinite)).toBe(true);
  });
});

describe("linear anneal", () => {
  it("goes to 0 at its last step", () => {
    expect([0, 5, 10].map((step) => linearAnneal(0.5, 10, step))).toEqual([0.5, 0.25, 0]);
  });
});
