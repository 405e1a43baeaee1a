import { describe, expect, it } from "vitest";
import { readRunLock } from "../../shared/run-lock/lock.ts";
import { type Fault, startFaultProxy } from "../support/fault-proxy.ts";
import { until } from "../support/plume.ts";
import { type ChaosRun, calmRun, chaosJob, isMember, startRun } from "./harness.ts";

/** One worker whose way to the coordinator leads through a proxy; tensors travel by gRPC, so faults hit them too. */
async function withProxy(run: ChaosRun, id = "far") {
  await run.reaches(2);
  const proxy = await startFaultProxy(() => readRunLock(run.out)!.record.address);
  const child = run.join(id, { address: proxy.address });
  await run.held(() => run.sees(`${id} is ready`, isMember(id)));
  return { proxy, child };
}

const isGone = (id: string) => (status: Parameters<ReturnType<typeof isMember>>[0]) => !isMember(id)(status);

/** Training does not wait for the one whose network fails. */
async function goesOn(run: ChaosRun, steps = 5): Promise<void> {
  const then = run.steps();
  await run.reaches(then + steps);
}

const GRPC = ["--set", "workers.transport=grpc"];

describe("a network that fails one worker", () => {
  it("24: all its packets are lost: it is dropped, training goes on, and it returns when the network does", async () => {
    using job = chaosJob();
    const clean = await calmRun(job);
    const run = startRun(job, ...GRPC);
    const { proxy } = await withProxy(run);
    await using _ = proxy;
    proxy.set({ kind: "drop" });
    await goesOn(run);
    await run.held(() => run.sees("it is gone", isGone("far")));
    await goesOn(run);
    proxy.set({ kind: "none" });
    await run.held(() => run.sees("it is back", isMember("far")));
    await run.endsLike(clean);
  });

  it.each<["up" | "down", string]>([
    ["up", "the coordinator hears nothing of it"],
    ["down", "it hears nothing of the coordinator"],
  ])("a half-open connection (%s: %s) is noticed and replaced", async (direction) => {
    using job = chaosJob();
    const clean = await calmRun(job);
    const run = startRun(job, ...GRPC);
    const { proxy } = await withProxy(run);
    await using _ = proxy;
    proxy.set({ kind: "half-open", direction });
    await goesOn(run);
    await run.held(async () => {
      await run.sees("the session is over", isGone("far"));
      proxy.set({ kind: "none" });
      await run.sees("it is back", isMember("far"));
    });
    await run.endsLike(clean);
  });

  it("5: a reduce that fails in the middle counts nowhere: bytes are corrupted, the step is whole all the same", async () => {
    using job = chaosJob();
    const clean = await calmRun(job);
    const run = startRun(job, ...GRPC, "--workers", "1");
    const { proxy } = await withProxy(run);
    await using _ = proxy;
    for (const direction of ["up", "down"] as const) {
      proxy.set({ kind: "corrupt", direction, everyBytes: 150_000 });
      for (const flips of [1, 2, 3]) {
        await until(`flip ${flips} on the way ${direction}`, () => proxy.flips[direction] >= flips);
        await run.held(() => run.sees("it is there, or back", isMember("far"))); // so that it gets work again
      }
      await goesOn(run);
    }
    proxy.set({ kind: "none" });
    await run.endsLike(clean);
  });

  it("14: five workers, and one after the other is cut, slowed, delayed, refused: the sum stays right", async () => {
    using job = chaosJob({ steps: 120, microBatch: 2 });
    const clean = await calmRun(job);
    const run = startRun(job, ...GRPC, "--workers", "3");
    const first = await withProxy(run, "far-1");
    const second = await withProxy(run, "far-2");
    await using _one = first.proxy;
    await using _two = second.proxy;
    const faults: Fault[] = [
      { kind: "slow", bytesPerSecond: 200_000 },
      { kind: "delay", ms: 40, jitterMs: 40, seed: 1 },
      { kind: "refuse" },
      { kind: "corrupt", direction: "up", everyBytes: 150_000 },
      { kind: "drop" },
    ];
    for (const fault of faults) {
      first.proxy.set(fault);
      await goesOn(run, 2);
      second.proxy.cutAll();
      await goesOn(run, 2);
      second.proxy.set(fault);
      await goesOn(run, 6);
      first.proxy.set({ kind: "none" });
      second.proxy.set({ kind: "none" });
      await run.held(() =>
        run.sees("both are back", (status) => isMember("far-1")(status) && isMember("far-2")(status)),
      );
    }
    await run.endsLike(clean);
  });

  it("7: the successor of a worker whose machine is gone without a word gets in once the old one is given up", async () => {
    using job = chaosJob();
    const clean = await calmRun(job);
    const run = startRun(job, ...GRPC);
    const { proxy, child } = await withProxy(run);
    await using _ = proxy;
    // At the door before, or it might take longer to start than the old one is waited for. On another machine: no proxy.
    const status = await run.held(() => {
      run.join("far");
      return run.sees("it is refused", ({ decisions }) => decisions.some(({ decision }) => decision === "refused"));
    });
    expect(status.decisions.find((d) => d.decision === "refused")!.reason).toContain(
      "a worker named far is a member already",
    );
    proxy.set({ kind: "drop" });
    child.kill("SIGKILL"); // its FIN is lost like everything else
    await goesOn(run);
    await run.held(() =>
      run.sees(
        "the new one is in",
        (now) => isMember("far")(now) && now.decisions.some((d) => d.decision === "expelled" && d.subject === "far"),
      ),
    );
    await run.endsLike(clean);
  });
});
