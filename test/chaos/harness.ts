// A run under fire: real processes found by what they were started with, real signals, and at the end the one question:
// is everything as if nothing had happened?

import { type ChildProcess, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { credentials, type ServiceError } from "@grpc/grpc-js";
import { expect, inject } from "vitest";
import { ControlServiceClient, type GetStatusResponse, type Status } from "../../proto/gen/plume/v1/control.ts";
import { parseJob } from "../../shared/config/load.ts";
import type { SampleOrder } from "../../shared/data/order.ts";
import { auditLedger } from "../../shared/ledger/audit.ts";
import { readLedger } from "../../shared/ledger/read.ts";
import { ownConnection } from "../../shared/rpc/transport.ts";
import { readRunLock } from "../../shared/run-lock/lock.ts";
import { readSummary, type Summary } from "../../shared/summary.ts";
import { type Finished, linesOf, plume, type Running, type StartOptions, startPlume, until } from "../support/plume.ts";
import { pause, processesOf } from "../support/processes.ts";

/**
 * Of a job that does not say another number: six epochs of sixteen steps, time for several faults and what comes after each.
 * Tests that ask for no other number share one calm run.
 */
export const STEPS = 96;

export interface ChaosJob {
  readonly name: string;
  readonly file: string;
  /** Folder of this test; gone when the scope ends. */
  readonly folder: string;
}

/**
 * Four micro-batches a step, some milliseconds each. A process needs the time of a hundred steps to start: a test that waits
 * for one holds the run meanwhile (ChaosRun.held), so that it is never over before it has come to the point.
 */
export function chaosJob(
  spec: {
    steps?: number;
    microBatch?: number;
    source?: string;
    diffusion?: string;
    workers?: string;
    extra?: string;
  } = {},
) {
  const folder = mkdtempSync(join(tmpdir(), "plume-chaos-"));
  const name = folder
    .slice(folder.lastIndexOf("-") + 1)
    .toLowerCase()
    .replaceAll(/[^a-z0-9]/g, "x");
  const file = join(folder, "job.yaml.in");
  writeFileSync(
    file,
    `metadata: { name: chaos-${name} }
spec:
  data: { source: "${spec.source ?? "shapes:256"}", imageSize: 8, patch: 2 }
  model: { channels: 8, channelMult: [1, 2], groups: 4, classes: 10 }
  diffusion: { predict: v${spec.diffusion ? `, ${spec.diffusion}` : ""} }
  training: { steps: ${spec.steps ?? STEPS}, globalBatch: 16, microBatch: ${spec.microBatch ?? 4}, optimizer: { lr: 2.0e-3 }, clip: 1, ema: 0.9 }
  workers: { replicas: 2, max: 40, heartbeatSeconds: 0.2, deadlineSeconds: 2, replaceSeconds: 4${spec.workers ? `, ${spec.workers}` : ""} }
  checkpoint: { everySteps: 40, snapshotSeconds: 0.3 }
  sampling: { count: 0, steps: 4 }
${spec.extra ?? ""}`,
  );
  const job: ChaosJob & Disposable = {
    name: `chaos-${name}`,
    file,
    folder,
    [Symbol.dispose]: () => rmSync(folder, { recursive: true, force: true }),
  };
  return job;
}

/**
 * What the job ends with when nothing happens to it. Trained once for all tests that ask for the same bits, also when two
 * files ask at the same time.
 */
export async function calmRun(job: ChaosJob): Promise<Summary> {
  const bits = readFileSync(job.file, "utf8").replaceAll(
    /name: \S+|^ {2}(workers|checkpoint|audit|nats|monitoring): .*$/gm,
    "",
  );
  const kept = join(inject("calmRuns"), createHash("sha256").update(bits).digest("hex").slice(0, 16));
  if (isFirstToAsk(kept)) await keepCalmRun(job, kept);
  else await until("a calm run that another test has begun", () => existsSync(kept), 120);
  return readSummary(kept);
}

function isFirstToAsk(kept: string): boolean {
  try {
    mkdirSync(`${kept}.begun`);
    return true;
  } catch {
    return false;
  }
}

async function keepCalmRun(job: ChaosJob, kept: string): Promise<void> {
  const out = join(job.folder, "calm");
  const { code, stderr } = await plume("train", "-f", job.file, "--out", out, "--workers", "2");
  expect(code, stderr).toBe(0);
  copyFileSync(join(out, "summary.json"), `${kept}.part`);
  renameSync(`${kept}.part`, kept);
}

export interface ChaosRun {
  readonly out: string;
  readonly job: ChaosJob;
  readonly cli: ChildProcess;
  readonly finished: Promise<Finished>;
  /** Lines in the ledger: steps committed, and not cut again. */
  steps(): number;
  reaches(step: number, seconds?: number): Promise<void>;
  status(): Promise<Status>;
  /** Waits until the status fulfils something. */
  sees(what: string, condition: (status: Status) => boolean, seconds?: number): Promise<Status>;
  /** The run rests between two steps while `act` waits for what takes longer than steps do. */
  held<T>(act: () => Promise<T>): Promise<T>;
  /** What `plume ctl scale` and `plume ctl stop` ask, without the time that the command line needs to start. */
  scale(replicas: number): Promise<void>;
  stop(): Promise<void>;
  ctl(...args: string[]): Promise<Finished>;
  coordinatorPid(): number;
  /** The worker's process now, or null. */
  worker(index: number): number | null;
  /** A worker of this run that the test starts itself; killed at the end if it is still there. */
  join(id: string, options?: { address?: string; fault?: string }): ChildProcess;
  /** The run has ended well, with the bits of a calm run, a whole ledger, and nothing left behind. */
  endsLike(calm: Summary, ending?: Ending): Promise<Summary>;
}

interface Ending {
  /** The last checkpoint is not in the store: exit code 1, and what there is of it stays in the run's folder. */
  readonly unsaved?: boolean;
}

/** A busy machine may take that long. */
const COMMAND_PATIENCE_MS = 40_000;

type Answer<T> = (error: ServiceError | null, response: T) => void;

export const startRun = (job: ChaosJob, ...args: string[]): ChaosRun => startRunWith({}, job, ...args);

export function startRunWith(options: StartOptions, job: ChaosJob, ...args: string[]): ChaosRun {
  const out = join(job.folder, "run");
  const startedAt = Date.now();
  const running: Running = startPlume(["train", "-f", job.file, "--out", out, ...args], options);
  const joined: ChildProcess[] = [];
  let over = false;
  void running.finished.then(() => {
    over = true;
  });
  const steps = () => linesOf(join(out, "ledger.ndjson")).length;
  const address = () => readRunLock(out)?.record.address ?? "";

  /** One question to whoever is the coordinator now; a short patience is for those that are asked again. */
  const ask = <T>(question: (client: ControlServiceClient, answer: Answer<T>) => void, patienceMs = 2_000) =>
    new Promise<T>((resolve, reject) => {
      const client = new ControlServiceClient(address(), credentials.createInsecure(), ownConnection);
      const timer = setTimeout(() => reject(new Error("no answer in time")), patienceMs);
      question(client, (error, response) => {
        clearTimeout(timer);
        client.close();
        if (error) reject(error);
        else resolve(response);
      });
    });
  const status = async () => (await ask<GetStatusResponse>((client, answer) => client.getStatus({}, answer))).status!;

  /** Until a coordinator that is just being started has answered. */
  const insist = async (what: string, question: () => Promise<unknown>) => {
    for (const end = Date.now() + 40_000; ; await pause(20)) {
      if (over) throw new Error(`${what}: the run ended before`);
      const asked = await question().then(
        () => null,
        (error: Error) => error,
      );
      if (!asked) return;
      if (Date.now() > end) throw new Error(`${what}: ${asked.message}`);
    }
  };

  const run: ChaosRun = {
    out,
    job,
    cli: running.child,
    finished: running.finished,
    steps,
    status,
    reaches: (step, seconds = 60) => until(`step ${step}`, () => steps() >= step, seconds),

    async sees(what, condition, seconds = 40) {
      const end = Date.now() + seconds * 1000;
      let last: Status | null = null;
      while (Date.now() < end) {
        if (over) throw new Error(`${what}: the run ended before; last seen ${JSON.stringify(last)?.slice(0, 2000)}`);
        last = (await status().catch(() => null)) ?? last;
        if (last && condition(last)) return last;
        await pause(50);
      }
      throw new Error(`${what}: not within ${seconds} s; last seen ${JSON.stringify(last)?.slice(0, 2000)}`);
    },

    async held(act) {
      await insist("hold", () => ask((client, answer) => client.pause({ requestId: "" }, answer)));
      const goOn = () => insist("go on", () => ask((client, answer) => client.resume({ requestId: "" }, answer)));
      const acted = await act().catch(async (error) => {
        await goOn().catch(() => {}); // a run that nobody holds ends by itself
        throw error;
      });
      await goOn();
      return acted;
    },
    scale: async (replicas) =>
      void (await ask((client, answer) => client.scale({ replicas, requestId: "" }, answer), COMMAND_PATIENCE_MS)),
    stop: async () =>
      void (await ask((client, answer) => client.stop({ reason: "", requestId: "" }, answer), COMMAND_PATIENCE_MS)),

    ctl: (...words) => plume("ctl", ...words, out),
    coordinatorPid: () => readRunLock(out)!.record.pid,
    worker: (index) => processesOf(out).find(({ args }) => args.includes(`worker-${index}`))?.pid ?? null,

    join(id, { address: dial = address(), fault } = {}) {
      const script = join(inject("chaosBundle"), fault ? "faulty-worker.mjs" : "worker.mjs");
      const args = ["--coordinator", dial, "--id", id, "--log-file", join(out, "logs", `${id}.log`)];
      if (fault) args.push("--fault", fault);
      const child = spawn(process.execPath, [script, ...args], {
        stdio: ["ignore", "ignore", "pipe", "ipc"],
      });
      joined.push(child);
      return child;
    },

    async endsLike(expected, { unsaved = false } = {}) {
      const { code, stderr } = await running.finished;
      for (const child of joined) child.kill("SIGKILL");
      expect(code, stderr).toBe(unsaved ? 1 : 0);
      const summary = readSummary(join(out, "summary.json"));
      expect(summary.weightsSha256).toBe(expected.weightsSha256);
      expect(summary.emaSha256).toBe(expected.emaSha256);
      expect(summary.reproducible).toBe(true);
      const spent = Object.values(summary.secondsByState).reduce((sum, seconds) => sum + seconds, 0);
      const { least, most } = secondsByLog(out, startedAt);
      expect(spent, "seconds booked").toBeGreaterThan(0.99 * least - 0.1);
      expect(spent, "seconds booked").toBeLessThan(1.01 * most + 0.1);
      expect(auditLedger(readLedger(join(out, "ledger.ndjson")), orderOf(out))).toMatchObject({
        ok: true,
        steps: summary.steps,
      });
      if (unsaved) rmSync(join(out, "snapshots"), { recursive: true, force: true });
      await nothingIsLeft(run);
      return summary;
    },
  };
  return run;
}

/** So many workers are ready, and nobody else is there. */
export const ready = (n: number) => (status: Pick<Status, "members">) =>
  status.members.length === n && status.members.every(({ phase }) => phase === "ready");

/** A worker of that name is ready. */
export const isMember = (id: string) => (status: Pick<Status, "members">) =>
  status.members.some(({ workerId, phase }) => workerId === id && phase === "ready");

/** The coordinator has noticed so many losses of workers. A killed one counts as a member until then. */
export const losses = ({ decisions }: Pick<Status, "decisions">): number =>
  decisions.filter(({ decision }) => decision === "lost").length;

function orderOf(out: string): SampleOrder {
  const { seed, training } = parseJob(readFileSync(join(out, "job.yaml"), "utf8")).spec;
  const { size } = JSON.parse(readFileSync(join(out, "dataset.json"), "utf8")) as { size: number };
  return { seed, datasetSize: size, globalBatch: training.globalBatch, microBatch: training.microBatch };
}

/**
 * How long the run took by the clock of its log. The accounts are opened between two of the first coordinator's words and
 * read between two of the last one's, on a busy machine seconds apart: hence bounds.
 */
function secondsByLog(out: string, startedAt: number): { readonly least: number; readonly most: number } {
  const lines = linesOf(join(out, "logs/coordinator.log"))
    .map((line) => JSON.parse(line) as { time: number; msg: string; decision?: string; subject?: string })
    .filter(({ time }) => time >= startedAt);
  const first = (word: string) => lines.find(({ msg }) => msg === word)!.time;
  const last = (phase: string) =>
    lines.findLast(({ decision, subject }) => decision === "phase" && subject === phase)!.time;
  return { least: (last("Saving") - first("listening")) / 1000, most: (last("Complete") - first("opening")) / 1000 };
}

/** No process, no file on tmpfs, no lock, no snapshot. */
export async function nothingIsLeft({ out, job }: Pick<ChaosRun, "out" | "job">): Promise<void> {
  await until(`the end of ${JSON.stringify(processesOf(out))}`, () => processesOf(out).length === 0, 15);
  expect(readdirSync("/dev/shm").filter((name) => name.includes(job.name))).toEqual([]);
  for (const file of ["coordinator.json", "journal.json", "snapshots"])
    expect(existsSync(join(out, file)), file).toBe(false);
  expect(readdirSync(out).filter((name) => name.endsWith(".tmp") || name.startsWith("coordinator.json"))).toEqual([]);
}
