// Whose turn a step is, and that nothing but what moves does: the order of samples, the constants, the vector.

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parseJob } from "../../shared/config/load.ts";
import type { JobSpec } from "../../shared/config/schema.ts";
import { orderOf, samplesOf, turnOf } from "../../shared/config/turns.ts";
import { rangesOfStep, sampleIds } from "../../shared/data/order.ts";
import { openReducer } from "../../shared/kernels/open-reducer.ts";
import { initialParameters } from "../../shared/nn/init.ts";
import { initialise } from "../../shared/pipeline/initial-state.ts";
import { buildNetwork } from "../../shared/pipeline/network.ts";
import { applyGradient } from "../../shared/pipeline/update.ts";
import { flatten } from "../../shared/tensor/flat.ts";
import { buildLayout, spanOf } from "../../shared/tensor/layout.ts";

const gan = (adversarial = "discriminatorSteps: 2", training = ""): JobSpec =>
  parseJob(`
metadata: { name: tiny }
spec:
  data: { source: "gaussian-grid:100", imageSize: 1 }
  model: { type: gan-mlp, channels: 8, layers: 1 }
  diffusion: { objective: non-saturating }
  adversarial: { latent: 2, ${adversarial} }
  training: { globalBatch: 16, microBatch: 4, ${training} }
  sampling: { sampler: generator, steps: 1 }`).spec;
const plain = parseJob("metadata: { name: plain }\nspec: { data: { source: 'shapes:' } }").spec;

describe("whose turn a step is", () => {
  it("is the discriminator's n times, then the generator's, each with a count of its own", () => {
    const spec = gan();
    const turns = Array.from({ length: 7 }, (_, step) => turnOf(spec, step));
    expect(turns.map(({ player }) => player![0]).join("")).toBe("ddgddgd");
    expect(turns.map(({ count }) => count)).toEqual([1, 2, 1, 3, 4, 2, 5]);
    expect(turns.map(({ averaged }) => averaged)).toEqual([false, false, true, false, false, true, false]);
  });

  it("brings the mover's own constants, and the job's where it has none", () => {
    const spec = gan("discriminator: { lr: 0.5, beta2: 0.9 }", "optimizer: { lr: 0.1, beta1: 0.3 }");
    expect(turnOf(spec, 0).optimizer).toMatchObject({ lr: 0.5, beta1: 0.3, beta2: 0.9 });
    expect(turnOf(spec, 1).optimizer).toMatchObject({ lr: 0.1, beta1: 0.3, beta2: 0.999 });
  });

  it("is nobody's in a job of one network: all of it moves at every step", () => {
    expect(turnOf(plain, 41)).toEqual({ optimizer: plain.training.optimizer, count: 42, averaged: true });
    expect(samplesOf(plain, 5)).toBe(5 * plain.training.globalBatch);
  });
});

describe("samples of a job of two networks", () => {
  it("go to the discriminator in the order of the permutation, as if the generator's steps were not there", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 7 }), fc.integer({ min: 1, max: 60 }), (n, size) => {
        const spec = gan(`discriminatorSteps: ${n}`);
        const order = orderOf(spec, size);
        const { cycle: _, ...whole } = order;
        const ids = (of: typeof order, step: number) => [0, 1, 2, 3].flatMap((index) => sampleIds(of, step, index));
        let used = 0;
        for (let step = 0; step < 30; step++) {
          if (turnOf(spec, step).player === "generator") {
            expect(ids(order, step)).toEqual([]);
            expect(rangesOfStep(order, step)).toEqual([]);
          } else expect(ids(order, step)).toEqual(ids(whole, used++));
          expect(samplesOf(spec, step + 1)).toBe(16 * used);
        }
      }),
    );
  });
});

describe("an update of one of two networks", () => {
  it.each(["adamw", "sgd", "lion"] as const)(
    "moves no bit of the other, of neither weights nor moments: %s",
    async (type) => {
      const spec = gan("", `optimizer: { type: ${type}, lr: 0.1, weightDecay: 0.5 }, ema: 0.5`);
      const { params } = await buildNetwork(spec, { height: 1, width: 1, channels: 2 });
      const layout = buildLayout(params, 24); // in several shards, of which one holds both
      expect(layout.shards.length).toBeGreaterThan(2);
      await using reducer = await openReducer({ layout, optimizer: type, maxVectors: 1, threads: 2 });
      await initialise(reducer, spec, {});
      const gradient = reducer.allocate();
      const all = () => [reducer.params, reducer.ema, ...Object.values(reducer.moments)].map((v) => flatten(layout, v));
      for (let step = 0; step < 4; step++) {
        const { player, averaged } = turnOf(spec, step);
        const { from, to } = spanOf(layout, `${player}.`);
        // Everywhere, also where a micro-batch has none.
        for (const shard of layout.shards) gradient.shard(shard.index).fill(1);
        const before = all();
        await applyGradient(spec, reducer, step, gradient, 1);
        all().forEach((after, k) => {
          const others = (flat: Float32Array) => [...flat.subarray(0, from), ...flat.subarray(to)];
          expect(others(after)).toEqual(others(before[k]!));
          const moved = after.subarray(from, to).some((value, i) => value !== before[k]![from + i]);
          expect(moved).toBe(k !== 1 || averaged);
        });
      }
      const fresh = initialParameters(layout, spec.seed);
      const { from } = spanOf(layout, "discriminator.");
      expect([...flatten(layout, reducer.ema).subarray(from)]).toEqual([...fresh.subarray(from)]);
    },
  );
});
