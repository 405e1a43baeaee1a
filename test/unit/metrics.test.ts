// What plume says of itself in numbers: how the numbers are named, counted and bounded.

import { describe, expect, it } from "vitest";
import { createWireMeter } from "../../coordinator/reporting/wire-meter.ts";
import { createWorkMeter } from "../../coordinator/reporting/work-meter.ts";
import { metricsAddress } from "../../coordinator/rpc/metrics-address.ts";
import type { RunEvent, RunStatus } from "../../shared/bus/events.ts";
import { parseJob } from "../../shared/config/load.ts";
import { createRegistry } from "../../shared/metrics/registry.ts";
import type { RunFacts } from "../../shared/metrics/run/source.ts";
import { METRICS, RUN_COLLECTORS } from "../../shared/metrics/table.ts";
import { idleFacts } from "../support/run-facts.ts";

const { spec } = parseJob(
  "metadata: { name: tiny }\nspec: { data: { source: 'shapes:100' }, training: { globalBatch: 16, microBatch: 4 }, workers: { max: 8 } }",
);

const STATUS: RunStatus = {
  job: "tiny",
  phase: "Training",
  reason: "",
  step: 10,
  steps: 100,
  loss: 1,
  imagesPerSecond: 0,
  etaSeconds: 0,
  workers: 0,
  members: [],
  incarnation: 1,
  desired: 2,
  min: 1,
  max: 8,
  secondsByState: {},
  wallSeconds: 0,
  goodput: 1,
  saves: { written: 0, failed: 0, retried: 0, stallSeconds: 0, passedOver: 0 },
};

const FACTS: RunFacts = { ...idleFacts(spec).facts(), committedSteps: 10, secondsByState: { productive: 5 } };

const step = (change: Partial<Extract<RunEvent, { kind: "step" }>>): RunEvent => ({
  kind: "step",
  step: 0,
  loss: 1,
  gradNorm: 1,
  lr: 1,
  workers: 1,
  skipped: false,
  imagesPerSecond: 1,
  seconds: {
    total: 2,
    gather: 1,
    compute: 0.5,
    pull: 0.1,
    data: 0.1,
    handover: 0.5,
    reduce: 0.2,
    optimize: 0.3,
    publish: 0.5,
  },
  blocks: [
    { lo: 0, hi: 2, worker: "a" },
    { lo: 2, hi: 4, worker: "b" },
  ],
  ...change,
});

function openRun(committedBefore = 0) {
  const registry = createRegistry({
    collectors: RUN_COLLECTORS,
    context: { spec, datasetSize: 100, committedBefore, epochMs: () => 5_000 },
    labels: { training_job: "tiny", component: "coordinator" },
  });
  /** Series of a metric, without the labels of the process, and their values. */
  const scrape = async (name: string, change: { status?: Partial<RunStatus>; facts?: Partial<RunFacts> } = {}) => {
    const status = { ...STATUS, ...change.status };
    const { body } = await registry.render({ incarnation: 1, status, facts: { ...FACTS, ...change.facts } });
    const lines = body.split("\n").filter((line) => new RegExp(`^${name}[{ ]`).test(line));
    return Object.fromEntries(
      lines.map((line) => {
        const [, labels, value] = /\{(.*)\} (\S+)$/.exec(line)!;
        return [labels!.replace(/,?training_job="tiny",component="coordinator",?/, ""), Number(value)];
      }),
    );
  };
  return { event: registry.event, scrape };
}

const member = (workerId: string, imagesPerSecond: number, change: object = {}) => ({
  workerId,
  phase: "ready",
  device: "wasm",
  transport: "shm",
  imagesPerSecond,
  heartbeatAgeMs: 100,
  share: 0,
  suspect: "",
  queued: 0,
  ...change,
});

describe("the table of metrics", () => {
  it("has each name once, with a unit where there is one, and words for what it means", () => {
    expect(new Set(METRICS.map(({ name }) => name)).size).toBe(METRICS.length);
    for (const { name, kind, help } of METRICS) {
      expect(name.endsWith("_total"), name).toBe(kind === "counter");
      if (kind === "histogram") expect(name).toMatch(/_seconds$/);
      expect(name).not.toMatch(/_(ms|millis|kib|mib|percent)\b/i);
      expect(help, name).toMatch(/^[A-Z1].*\.$/);
    }
  });

  it("bounds every label by a table, or by the names of workers and what a job alone decides", () => {
    const open = METRICS.flatMap(({ labels }) => Object.entries(labels).filter(([, values]) => values === null));
    expect([...new Set(open.map(([label]) => label))].sort()).toEqual(["codec", "version", "worker"]);
  });
});

describe("the metrics of a run", () => {
  it("say how many workers the job would like: what was asked for, where it has no wish", async () => {
    const { scrape } = openRun();
    expect(await scrape("plume_desired_workers")).toEqual({ "": 2 });
    const wish = { workers: 5, reason: "", leastSeconds: 90 };
    expect(await scrape("plume_desired_workers", { status: { wish } })).toEqual({ "": 5 });
    expect(await scrape("plume_workers_desired", { status: { wish } })).toEqual({ "": 2 });
    expect(await scrape("plume_least_eta_seconds", { status: { wish } })).toEqual({ "": 90 });
    expect(await scrape("plume_least_eta_seconds", { status: { wish, phase: "Stopped" } })).toEqual({});
    expect(await scrape("plume_deadline_timestamp_seconds")).toEqual({});
  });

  it("have every bounded series from the first scrape on", async () => {
    const { scrape } = openRun();
    expect(await scrape("plume_membership_changes_total")).toMatchObject({ 'change="lost"': 0, 'change="joined"': 0 });
    expect(await scrape("plume_commands_total")).toMatchObject({ 'command="scale",result="refused"': 0 });
    expect(await scrape("plume_checkpoint_last_success_timestamp_seconds")).toEqual({});
    expect(await scrape("plume_loss")).toEqual({});
  });

  it("count a sample as used twice when two results claim its leaf, and when its step is committed again", async () => {
    const { event, scrape } = openRun();
    event(step({ step: 0 }));
    event(step({ step: 1 }));
    expect(await scrape("plume_samples_duplicate_total")).toEqual({ "": 0 });
    event(
      step({
        step: 2,
        blocks: [
          { lo: 0, hi: 3, worker: "a" },
          { lo: 2, hi: 4, worker: "b" },
        ],
      }),
    );
    expect(await scrape("plume_samples_duplicate_total")).toEqual({ "": 4 });
    event(step({ step: 2 }));
    expect(await scrape("plume_samples_duplicate_total")).toEqual({ "": 20 });
  });

  it("count steps that a crash has cost once as committed and once as discarded", async () => {
    const { event, scrape } = openRun(10);
    for (const each of [8, 9, 10]) event(step({ step: each }));
    const steps = await scrape("plume_steps_total", { facts: { committedSteps: 11 } });
    expect(steps).toEqual({ 'result="committed"': 11, 'result="discarded"': 2 });
    expect(await scrape("plume_samples_committed_total", { facts: { committedSteps: 11 } })).toEqual({ "": 176 });
  });

  it("say of each worker what it computed, and forget those who left long ago when names never come back", async () => {
    const { event, scrape } = openRun();
    for (let n = 0; n < 50; n++) event(step({ step: n, blocks: [{ lo: 0, hi: 4, worker: `pod-${n}` }] }));
    const status = { members: [member("pod-3", 1), member("pod-49", 1)] };
    const byWorker = await scrape("plume_worker_samples_total", { status });
    expect(byWorker['worker="pod-3"']).toBe(16);
    expect(byWorker['worker="pod-49"']).toBe(16);
    expect(Object.keys(byWorker)).toHaveLength(status.members.length + STATUS.max);
    expect(byWorker['worker="pod-4"']).toBeUndefined();
  });

  it("split a step into parts that sum to it", async () => {
    const { event, scrape } = openRun();
    event(step({}));
    const parts = await scrape("plume_step_phase_seconds_total");
    expect(parts['phase="handover"']).toBeCloseTo(0.3);
    expect(Object.values(parts).reduce((sum, each) => sum + each, 0)).toBeCloseTo(2);
  });

  it("show a loss that is not a number, and count the step as skipped", async () => {
    const { event, scrape } = openRun();
    event(step({ loss: Number.NaN, gradNorm: Number.POSITIVE_INFINITY, skipped: true }));
    expect(await scrape("plume_loss")).toEqual({ "": Number.NaN });
    expect(await scrape("plume_nonfinite_gradients_total")).toEqual({ "": 1 });
  });

  it("compare the slowest worker with the median one, of those who were measured", async () => {
    const { scrape } = openRun();
    const members = [member("a", 30), member("b", 10), member("c", 20), member("d", 0)];
    expect(await scrape("plume_straggler_ratio", { status: { members } })).toEqual({ "": 2 });
    expect(await scrape("plume_straggler_ratio", { status: { members: [] } })).toEqual({});
  });

  it("count a suspect worker as that alone, and none that has left", async () => {
    const { scrape } = openRun();
    const members = [member("a", 1), member("b", 1, { suspect: "silent" }), member("c", 1, { phase: "joining" })];
    expect(await scrape("plume_workers", { status: { members } })).toMatchObject({
      'state="ready"': 1,
      'state="suspect"': 1,
      'state="joining"': 1,
    });
    await scrape("plume_worker_heartbeat_age_seconds", { status: { members } });
    const left = await scrape("plume_worker_heartbeat_age_seconds", { status: { members: [members[0]!] } });
    expect(left).toEqual({ 'worker="a"': 0.1 });
  });

  it("have the age of a checkpoint in steps from where the run began", async () => {
    const { event, scrape } = openRun();
    expect(await scrape("plume_checkpoint_last_step", { status: { step: 7 } })).toEqual({ "": 7 });
    expect(await scrape("plume_checkpoint_last_step", { status: { step: 9 } })).toEqual({ "": 7 });
    event({ kind: "checkpoint", step: 9, key: "k", bytes: 100, seconds: 1, stallSeconds: 0 });
    expect(await scrape("plume_checkpoint_last_step", { facts: { checkpointStep: 9 } })).toEqual({ "": 9 });
    expect(await scrape("plume_checkpoint_last_success_timestamp_seconds")).toEqual({ "": 5 });
    expect(await scrape("plume_checkpoint_bytes")).toEqual({ "": 100 });
  });

  it("know payload by the way it took, and gradients by their codec", async () => {
    const { scrape } = openRun();
    const wire = createWireMeter();
    wire.count({ direction: "in", payload: "gradient", transport: "grpc" }, 100);
    wire.count({ direction: "in", payload: "gradient", transport: "grpc" }, 50);
    const bytes = await scrape("plume_wire_bytes_total", { facts: { flows: wire.flows } });
    const gradient = (transport: string) =>
      Object.entries(bytes).filter(([labels]) => labels.includes("gradient") && labels.includes(transport));
    expect(gradient("grpc").map(([, value]) => value)).toEqual([150]);
    expect(gradient("grpc")[0]![0]).toContain('codec="float32"');
    expect(gradient("shm").map(([, value]) => value)).toEqual([0]);
  });
});

describe("what was not simply computed and used", () => {
  it("is what becomes pending again, what came in vain, and what was computed twice; pictures do not count", () => {
    const meter = createWorkMeter();
    const pending = [{ lo: 0, hi: 1 }];
    const round = { kind: "gradient" as const, pending };
    expect(meter.reassigned(round, () => pending.push({ lo: 4, hi: 8 }))).toBe(2);
    meter.discarded("gradient", { lo: 0, hi: 2 });
    meter.discarded("sample", { lo: 0, hi: 2 });
    meter.copied("gradient", { lo: 0, hi: 2 }, "speculation");
    meter.copied("gradient", { lo: 0, hi: 2 }, "first");
    expect(meter.counts).toEqual({
      reassigned: 4,
      discarded: 2,
      copied: { speculation: 2, audit: 0, settle: 0 },
    });
  });
});

describe("the address of a worker's metrics", () => {
  it.each([
    ["127.0.0.1:4000", "127.0.0.1", 9465, "127.0.0.1:9465"],
    ["::ffff:127.0.0.1:4000", "127.0.0.1", 9465, "127.0.0.1:9465"],
    ["10.0.0.7:4000", "0.0.0.0", 9465, "10.0.0.7:9465"],
    ["::ffff:10.0.0.7:4000", "::", 9465, "10.0.0.7:9465"],
    ["fd00::7:4000", "::", 9465, "[fd00::7]:9465"],
    ["10.0.0.7:4000", "127.0.0.1", 9465, ""],
    ["unknown", "0.0.0.0", 9465, ""],
    ["127.0.0.1:4000", "127.0.0.1", 0, ""],
  ])("of %s on %s at %i is %j", (peer, host, port, address) => {
    expect(metricsAddress(peer, host, port)).toBe(address);
  });
});
