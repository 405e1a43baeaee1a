// Parameters of 25 MiB, spread over reducer processes: more bytes than arithmetic, so that a step is quick. What takes long
// is to draw them at every start, so these are the fewest that make a shard for each of four processes.

import { beforeAll, describe, expect, it } from "vitest";
import { readRunLock } from "../../shared/run-lock/lock.ts";
import { readSummary, type Summary } from "../../shared/summary.ts";
import { linesOf, plume, scratchFolder, startPlume, tinyJob, train, until } from "../support/plume.ts";
import { processesOf } from "../support/processes.ts";

/** The tiny job, so much wider. */
const WIDE = [
  "data.source=shapes:64",
  "data.imageSize=4",
  "model.channels=192",
  "model.channelMult=[1]",
  "model.groups=8",
  "training.globalBatch=4",
  "training.microBatch=1",
  "checkpoint.everySteps=100",
  "checkpoint.snapshotSeconds=0.3",
  "sampling.count=0",
].flatMap((field) => ["--set", field]);

const shards = (n: number) => ["--set", `coordinator.shards=${n}`];
const workers = (n: number) => ["--workers", `${n}`];
const GRPC = ["--set", "workers.transport=grpc"];

interface TargetGroup {
  readonly targets: readonly [string];
  readonly labels: { readonly component: string; readonly reducer?: string };
}

/** What each reducer of a run says that it has taken in and given out, found as Prometheus finds it. */
async function bytesOfReducers(out: string) {
  const line = linesOf(`${out}/logs/coordinator.log`).findLast((each) => each.includes('"listening"'))!;
  const { page: url } = JSON.parse(line) as { page: string };
  const groups = (await (await fetch(`${url}/targets`)).json()) as TargetGroup[];
  return Promise.all(
    groups
      .filter(({ labels }) => labels.component === "reducer")
      .map(async ({ targets: [address], labels: { reducer } }) => {
        const text = await (await fetch(`http://${address}/metrics`)).text();
        const bytes = (direction: string) =>
          Number(
            new RegExp(`^plume_reducer_wire_bytes_total\\{direction="${direction}".* (\\d+)$`, "m").exec(text)![1],
          );
        return { reducer, bytes: { in: bytes("in"), out: bytes("out") } };
      }),
  );
}

describe("parameters in reducer processes", () => {
  it.each(["float32", "int8"])(
    "end as the same bits in 1, 2 and 4, over shared memory and over gRPC, as %s",
    async (dtype) => {
      using scratch = scratchFolder();
      const job = tinyJob(scratch.path);
      const wire = [...WIDE, "--steps", "3", "--set", `training.wireDtype=${dtype}`];
      const one = await train(job, scratch.file("1"), ...wire, ...workers(1));
      const two = await train(job, scratch.file("2"), ...wire, ...shards(2), ...workers(1));
      const four = await train(job, scratch.file("4"), ...wire, ...shards(4), ...GRPC, ...workers(2));
      expect(four.transports).toEqual(["grpc"]);
      for (const other of [two, four]) {
        expect(other.weightsSha256).toBe(one.weightsSha256);
        expect(other.emaSha256).toBe(one.emaSha256);
        expect(other.finalLoss).toBe(one.finalLoss);
      }
    },
  );

  describe("are taken up again from a snapshot when one of them is killed", () => {
    // Nothing is lost either of what time steps are drawn by.
    const drawn = ["diffusion.timesteps=2", "diffusion.timestepSampling=loss-second-moment", "sampling.steps=2"];
    const own = [...WIDE, ...drawn.flatMap((field) => ["--set", field])];
    const twelve = [...own, "--steps", "12"];
    let calm: Summary;
    beforeAll(async () => {
      using scratch = scratchFolder();
      calm = await train(tinyJob(scratch.path), scratch.file("calm"), ...twelve, ...workers(1));
    });

    it.each([
      ["shared memory", []],
      ["gRPC", GRPC],
    ])("over %s: the same bits", async (_, way) => {
      using scratch = scratchFolder();
      const job = tinyJob(scratch.path);
      const out = scratch.file("killed");
      const run = startPlume(["train", "-f", job, "--out", out, ...twelve, ...shards(2), ...way]);
      const reducer = () => processesOf(out).find(({ args }) => args.some((arg) => arg.includes("reducer.mjs")))?.pid;
      await until("step 4", () => linesOf(`${out}/ledger.ndjson`).length >= 4);
      const workersOf = () => processesOf(out).filter(({ args }) => args.some((arg) => /^worker-\d$/.test(arg)));
      const moved = await bytesOfReducers(out);
      expect(moved.map(({ reducer }) => reducer)).toEqual(["0", "1"]);
      // Over gRPC both ways go through them; over shared memory workers and they read each other's files.
      for (const { bytes } of moved) expect([bytes.in > 0, bytes.out > 0]).toEqual([true, way === GRPC]);
      const before = workersOf();
      process.kill(reducer()!, "SIGKILL");
      await until("another coordinator", () => readRunLock(out)?.record.incarnation === 2);
      expect(workersOf()).toEqual(before); // they stay
      const { code, stderr } = await run.finished;
      expect(code, stderr).toBe(0);
      expect(stderr).toMatch(/reducer \d was killed \(SIGKILL\)/);
      const summary = readSummary(`${out}/summary.json`);
      expect(summary).toMatchObject({ weightsSha256: calm.weightsSha256, incarnation: 2, reproducible: true });
      expect(linesOf(`${out}/ledger.ndjson`)).toHaveLength(12);
      await until("the end of every process", () => processesOf(out).length === 0, 15);
      // And a checkpoint that reducers wrote is read by a coordinator without any.
      const resumed = await train(job, out, ...own, "--steps", "13", ...workers(1));
      expect(resumed.firstStep).toBe(12);
    });
  });

  it("are refused before anything starts when there are fewer shards than processes", async () => {
    using scratch = scratchFolder();
    const refused = async (count: number, message: string) => {
      const out = scratch.file("no");
      const args = ["train", "-f", tinyJob(scratch.path), "--out", out, ...WIDE, ...shards(count)];
      const { code, stderr } = await plume(...args);
      expect(code, stderr).toBe(2);
      expect(stderr).toContain(message);
    };
    await refused(0, "spec.coordinator.shards");
    await refused(40, "spec.coordinator.shards 40: the parameters, 24.9 MiB, make 4 shards");
    expect(processesOf(scratch.path)).toEqual([]);
  });
});
