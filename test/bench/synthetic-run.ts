// A real coordinator process and synthetic workers: what a step costs when computing costs nothing.

import { fork } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { stringify } from "yaml";
import { readEvents } from "../../shared/bus/event-log.ts";
import { parseJob } from "../../shared/config/load.ts";
import { invariant } from "../../shared/invariant.ts";
import { buildNetwork } from "../../shared/pipeline/network.ts";
import { type Summary as RunSummary, readSummary } from "../../shared/summary.ts";
import type { CoordinatorMessage } from "../../shared/supervision.ts";
import { buildLayout } from "../../shared/tensor/layout.ts";
import { type Summary, summarise } from "./measure.ts";

export interface SyntheticRun {
  readonly workers: number;
  /** Bytes of one flat vector. */
  readonly bytes: number;
  /** Milliseconds of a step by part, and in all. */
  readonly parts: Readonly<Record<string, Summary>>;
  readonly checkpoints: RunSummary["checkpoints"];
  /** Milliseconds that training waited for each save. */
  readonly stallsMs: readonly number[];
}

export interface SyntheticOptions {
  readonly workers: number;
  /** Workers are spread over so many processes. */
  readonly processes: number;
  readonly channels: number;
  /** [1, 2, 4] when absent. */
  readonly channelMult?: readonly number[];
  readonly steps: number;
  readonly transport: "shm" | "grpc";
  /** Milliseconds that a micro-batch takes; none when absent. */
  readonly computeMs?: number;
  /** Sees the run while it goes on; the run is waited for as long as it takes. */
  readonly watch?: (live: LiveRun) => Promise<void>;
  /** More of these groups of the job. */
  readonly spec?: { training?: object; workers?: object; coordinator?: object; checkpoint?: object };
}

export interface LiveRun {
  /** Of the coordinator. */
  readonly pid: number;
  /** host:port of the coordinator. */
  readonly address: string;
  /** The run's folder. */
  readonly out: string;
}

/** Steps before caches and windows are as they stay. */
const SKIPPED = 3;
const PARTS = ["gather", "pull", "reduce", "optimize", "publish", "total"];

/** @param options one micro-batch a worker and step, of one image. */
export async function syntheticRun(options: SyntheticOptions): Promise<SyntheticRun> {
  const { workers, processes, channels, steps, transport, spec = {} } = options;
  const folder = mkdtempSync(join(tmpdir(), "plume-bench-"));
  const jobYaml = stringify({
    metadata: {
      name: `bench-${folder
        .slice(folder.lastIndexOf("-") + 1)
        .toLowerCase()
        .replaceAll(/[^a-z0-9]/g, "x")}`,
    },
    spec: {
      data: { source: "shapes:256", imageSize: 8 },
      model: { channels, channelMult: options.channelMult ?? [1, 2, 4], groups: 8, classes: 0 },
      training: { steps: steps + SKIPPED, globalBatch: workers, microBatch: 1, clip: 1, ...spec.training },
      workers: { replicas: workers, min: workers, max: workers, transport, deadlineSeconds: 60, ...spec.workers },
      checkpoint: { everySteps: steps + SKIPPED, snapshotSeconds: 600, ...spec.checkpoint },
      sampling: { count: 0 },
      ...(spec.coordinator ? { coordinator: spec.coordinator } : {}),
    },
  });
  const children = new Set<ReturnType<typeof fork>>();
  const start = (name: string, args: readonly string[]) => {
    const child = fork(join(dirname(process.argv[1]!), `${name}.mjs`), args, {
      stdio: ["ignore", "ignore", "inherit", "ipc"],
    });
    children.add(child);
    return child;
  };
  try {
    const job = join(folder, "job.yaml");
    writeFileSync(job, jobYaml);
    const coordinator = start("coordinator", [
      "--job",
      job,
      "--out",
      join(folder, "run"),
      "--log-file",
      join(folder, "log"),
    ]);
    const ended = new Promise<number | null>((resolve) => coordinator.once("exit", resolve));
    const address = await new Promise<string>((resolve, reject) => {
      coordinator.on("message", (message: CoordinatorMessage) => {
        if (message.kind === "ready") resolve(message.address);
        if (message.kind === "error") reject(new Error(message.message));
      });
      void ended.then((code) => reject(new Error(`the coordinator ended with ${code}`)));
    });
    const each = workers / processes;
    invariant(Number.isInteger(each), "every process has as many workers");
    for (let p = 0; p < processes; p++)
      start("bench-synthetic-worker", [
        ...["--coordinator", address, "--first", String(p * each), "--count", String(each)],
        ...["--compute-ms", String(options.computeMs ?? 0)],
      ]);
    await options.watch?.({ pid: coordinator.pid!, address, out: join(folder, "run") });
    invariant((await ended) === 0, "the coordinator ended well");
    const lines = readFileSync(join(folder, "run/metrics.ndjson"), "utf8").trim().split("\n").slice(SKIPPED);
    const seconds = lines.map((line) => (JSON.parse(line) as { seconds: Record<string, number> }).seconds);
    const parts = PARTS.map((part) => [part, summarise(seconds.map((of) => (of[part] ?? 0) * 1000))] as const);
    const layout = buildLayout(
      (await buildNetwork(parseJob(jobYaml).spec, { height: 8, width: 8, channels: 3 })).params,
    );
    const { checkpoints } = readSummary(join(folder, "run/summary.json"));
    const stallsMs = readEvents(join(folder, "run/events.ndjson")).flatMap(({ event }) =>
      event.kind === "checkpoint" ? [1000 * event.stallSeconds] : [],
    );
    return { workers, bytes: layout.size * 4, parts: Object.fromEntries(parts), checkpoints, stallsMs };
  } finally {
    for (const child of children) child.kill("SIGKILL");
    rmSync(folder, { recursive: true, force: true });
  }
}
