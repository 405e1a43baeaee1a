import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { FAULT_KINDS } from "./faults.ts";
import { chaosJob, nothingIsLeft } from "./harness.ts";
import { plannedFault, punish } from "./punish.ts";

describe("a run that is punished without mercy", () => {
  it("29: faults of every kind, one after the other: the loss curve and the weights are those of a calm run", async () => {
    using job = chaosJob({ steps: 100_000 });
    const { injected, same, auditOk, summary } = await punish({
      jobFile: job.file,
      out: join(job.folder, "punished"),
      workers: 2,
      faults: process.env.PLUME_SOAK ? 100 : 12,
      everySeconds: 0.2,
      seed: 29,
      kinds: FAULT_KINDS,
      args: [],
      stopAfter: true,
      onNote: () => {},
    });
    expect(injected.length).toBeGreaterThan(8);
    expect(new Set(injected.map(({ kind }) => kind)).size).toBeGreaterThan(3);
    expect(same).toBe(true);
    expect(auditOk).toBe(true);
    expect(summary.recoveries).toBeGreaterThan(2);
    await nothingIsLeft({ out: join(job.folder, "punished", "run"), job });
  });

  it("is the same for the same seed, and another one for another", () => {
    const plan = (seed: number) => Array.from({ length: 20 }, (_, k) => plannedFault(seed, k, 2, FAULT_KINDS));
    expect(plan(1)).toEqual(plan(1));
    expect(plan(1)).not.toEqual(plan(2));
    for (const { afterSeconds, lasts, target } of plan(3)) {
      expect(afterSeconds).toBeGreaterThanOrEqual(1);
      expect(afterSeconds).toBeLessThan(3);
      expect(lasts).toBeGreaterThanOrEqual(0.5);
      expect(target).toBeLessThan(1);
    }
  });
});
