import { describe, expect, it } from "vitest";
import type { Result } from "../../coordinator/aggregation/round.ts";
import type { AppliedStep } from "../../coordinator/training/apply.ts";
import { createImportance, unweightedLoss } from "../../coordinator/training/importance.ts";
import { type Lease, WorkKind } from "../../proto/gen/plume/v1/training.ts";
import { parseJob } from "../../shared/config/load.ts";
import {
  drawTimesteps,
  emptyHistory,
  lossMultipliers,
  timestepWeights,
  withLosses,
} from "../../shared/diffusion/importance.ts";
import {
  freshHistory,
  historyFiles,
  restoredHistory,
  weightedTimes,
  weightsBy,
  withStep,
} from "../../shared/pipeline/importance.ts";
import { drawsOf, PURPOSE, uniforms } from "../../shared/rng/stream.ts";
import { seal, unseal } from "../../shared/rpc/sealed.ts";
import { noTracer } from "../../shared/tracing/tracer.ts";
import type { Reports } from "../../worker/session.ts";
import { createSteps, type StepOptions } from "../../worker/step.ts";

const key = { seed: 3, purpose: PURPOSE.time, step: 0, index: 0 } as const;

describe("the importance of time steps", () => {
  it("is the same for all steps until each has its losses, and then that of the newest", () => {
    const early = withLosses(emptyHistory(2, 2), [0, 0, 1], [9, 1, 1]);
    expect([...timestepWeights(early)]).toEqual([1, 1]);
    const late = withLosses(early, [0, 1], [1, 3]);
    expect([...timestepWeights(late, 0)]).toEqual([1 / (1 + Math.sqrt(5)), Math.sqrt(5) / (1 + Math.sqrt(5))]);
    expect([...timestepWeights(early)]).toEqual([1, 1]);
  });

  it("learns nothing from a loss that is no number, and forgets none for it", () => {
    const history = withLosses(emptyHistory(1, 2), [0, 0], [3, 3]);
    const later = withLosses(history, [0, 0], [Number.NaN, Number.POSITIVE_INFINITY]);
    expect(later).toEqual(history);
  });

  it("is the same for all when none has a loss left", () => {
    const done = withLosses(emptyHistory(2, 1), [0, 1], [0, 0]);
    expect([...timestepWeights(done)]).toEqual([1, 1]);
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

describe("the record of a run", () => {
  const { spec } = parseJob(`
metadata: { name: tiny }
spec:
  seed: 5
  data: { source: "shapes:64" }
  diffusion: { timesteps: 3, timestepSampling: loss-second-moment }
  training: { globalBatch: 8, microBatch: 4 }
  sampling: { steps: 3 }`);
  const losses = (step: number) => Float32Array.from({ length: 8 }, (_, k) => 1 + k / 3 + step);
  const fresh = freshHistory(spec)!;
  const recordAfter = (steps: number) =>
    Array.from({ length: steps }, (_, step) => step).reduce(
      (history, step) => withStep(history, spec, step, losses(step)),
      fresh,
    );

  it("gives each loss to the time step that its sample was drawn at, by whoever computed it", () => {
    let history = fresh;
    for (let step = 0; step < 12; step++) {
      const weights = weightsBy(history);
      const drawn = [0, 1].flatMap((index) => {
        const draws = drawsOf({ seed: 5, purpose: PURPOSE.time, step, index });
        return [...(weights ? weightedTimes(weights, draws, 4).t : draws.integers(4, 3))];
      });
      const next = withStep(history, spec, step, losses(step));
      expect(next).toEqual(withLosses(history, drawn, losses(step)));
      history = next;
    }
    expect(weightsBy(fresh)).toBeUndefined();
    expect(weightsBy(history)).toEqual(timestepWeights(history));
  });

  it("comes back from a checkpoint as it was, to the bit", async () => {
    for (const history of [fresh, recordAfter(2), recordAfter(12)]) {
      const files = historyFiles(history);
      const file = async (name: string) => files[name] ?? null;
      expect(await restoredHistory(spec, { ...saved(7), file })).toEqual(history);
    }
  });

  it("begins anew where the checkpoint's job drew otherwise, and is missed where it drew alike", async () => {
    const file = async () => null;
    const uniform = { ...spec, diffusion: { ...spec.diffusion, timestepSampling: "uniform" as const } };
    expect(await restoredHistory(spec, { ...saved(7, uniform), file })).toEqual(fresh);
    expect(await restoredHistory(uniform, { ...saved(7), file })).toBeNull();
    expect(await restoredHistory(spec, { ...saved(0), file })).toEqual(fresh);
    await expect(restoredHistory(spec, { ...saved(7), file })).rejects.toMatchObject({ code: "DATA_LOSS" });
    const fewer = historyFiles(emptyHistory(2));
    const other = async (name: string) => fewer[name] ?? null;
    expect(await restoredHistory(spec, { ...saved(7), file: other })).toEqual(fresh);
  });

  it("learns from a step once it is committed, in the order of its micro-batches, and nothing from one that was skipped", () => {
    const blockOf = (lo: number, all: Float32Array) =>
      ({ block: { lo, hi: lo + 1 }, sampleLosses: all.slice(4 * lo, 4 * lo + 4) }) as Result;
    const applied = (step: number, skipped: boolean) => {
      const results = [blockOf(0, losses(step)), blockOf(1, losses(step))];
      return { step, skipped, results } as unknown as AppliedStep;
    };
    const importance = createImportance(spec, fresh);
    importance.learn(applied(0, false));
    expect(importance.history).toEqual(recordAfter(1));
    importance.learn(applied(1, true));
    expect(importance.history).toEqual(recordAfter(1));
    expect(importance.sealedWeights).toBeUndefined();
    const warm = recordAfter(12);
    expect(createImportance(spec, warm).sealedWeights).toEqual(seal(timestepWeights(warm)));
    expect(unweightedLoss(applied(0, false).results)).toBeCloseTo(1 + 3.5 / 3, 6);
  });

  /** What of a checkpoint says whose it is. */
  const saved = (step: number, of = spec) => ({ job: { spec: of }, state: { step } });
});

describe("numbers under a seal", () => {
  it("come out as they went in, and not at all when a bit of them has changed", () => {
    const numbers = Float64Array.of(0.1, -2, Number.MAX_VALUE);
    const sealed = seal(numbers);
    expect(new Float64Array(unseal(sealed)!)).toEqual(numbers);
    for (let at = 0; at < sealed.length; at++) {
      const damaged = Buffer.from(sealed);
      damaged[at]! ^= 4;
      expect(unseal(damaged)).toBeNull();
    }
    expect(unseal(sealed.subarray(0, 3))).toBeNull();
  });

  it("of a lease that was damaged on its way compute nothing: the session ends, and the next one brings them anew", async () => {
    const damaged = seal(Float64Array.of(0.5, 0.5));
    damaged[6]! ^= 1;
    const tuple = { job: "tiny", incarnation: 1, step: 3, attempt: 1 };
    const what = { paramsVersion: 3, kind: WorkKind.WORK_KIND_GRADIENT, vectorDigest: "", traceParent: "" };
    const lease: Lease = { tuple, lo: 0, hi: 1, ...what, timestepWeights: damaged };
    const steps = createSteps({ workerId: "worker-0", tracer: noTracer } as StepOptions);
    await expect(steps.gradient(lease, {} as Reports)).rejects.toMatchObject({ code: "UNAVAILABLE" });
  });
});
