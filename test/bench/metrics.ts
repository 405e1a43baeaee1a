// npm run bench:metrics -- what it costs to be watched: how long a scrape takes while a real run trains, what scrapes do to
// its steps (in turn with and without, each pair one after the other), and what collectors add to a step and to a scrape.
// [--quick] [--json FILE]

import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import type { RunEvent, RunStatus } from "../../shared/bus/events.ts";
import { parseJob } from "../../shared/config/load.ts";
import { createRegistry } from "../../shared/metrics/registry.ts";
import { RUN_COLLECTORS } from "../../shared/metrics/table.ts";
import { ROOT } from "../../shared/root.ts";
import { linesOf, startPlume, until } from "../support/plume.ts";
import { freePort, pause } from "../support/processes.ts";
import { idleFacts } from "../support/run-facts.ts";
import { COMMON_OPTIONS, finish, machineLine, markdownTable, spread, summarise } from "./measure.ts";

const { values: options } = parseArgs({ options: COMMON_OPTIONS });
const PAIRS = options.quick ? 4 : 12;
const WINDOW_MS = 6_000;
/** Watchers, each of whom scrapes every second: 75 times what one Prometheus asks by default. */
const WATCHERS = 5;

interface StepLine {
  readonly step: number;
  readonly seconds: { readonly total: number };
}

/** The quickstart's job, scraped in every second window. */
async function live() {
  const folder = mkdtempSync(join(tmpdir(), "plume-bench-"));
  const out = join(folder, "run");
  const port = await freePort();
  const sets = [
    "training.steps=1000000",
    "sampling.everySteps=0",
    "checkpoint.everySteps=1000000",
    `monitoring.port=${port}`,
  ];
  const file = join(ROOT, "deploy/jobs/fashion.yaml");
  const run = startPlume(["train", "-f", file, "--out", out, ...sets.flatMap((set) => ["--set", set])]);
  const steps = (): StepLine[] => linesOf(join(out, "metrics.ndjson")).map((line) => JSON.parse(line) as StepLine);
  const scrapes: number[] = [];
  const bytes: number[] = [];
  const watch = async (end: number) => {
    while (performance.now() < end) {
      const started = performance.now();
      const answer = await fetch(`http://127.0.0.1:${port}/metrics`);
      bytes.push((await answer.text()).length);
      scrapes.push(performance.now() - started);
      await pause(Math.max(0, 1000 - (performance.now() - started)));
    }
  };
  /** Median seconds of the steps that begin and end in the window. */
  const window = async (scraped: boolean) => {
    const first = steps().length + 1;
    const end = performance.now() + WINDOW_MS;
    const begin = Array.from({ length: scraped ? WATCHERS : 0 }, (_, k) =>
      pause((1000 * k) / WATCHERS).then(() => watch(end)),
    );
    await Promise.all([pause(WINDOW_MS), ...begin]);
    return summarise(
      steps()
        .slice(first)
        .map(({ seconds }) => seconds.total),
    ).median;
  };
  try {
    await until("twenty steps", () => steps().length >= 20, 120);
    const pairs: { readonly with: number; readonly without: number }[] = [];
    for (let k = 0; k < PAIRS; k++) {
      // The first of a pair in turn, so that a machine that gets slower or faster favours neither.
      const order = k % 2 === 0 ? [true, false] : [false, true];
      const [a, b] = [await window(order[0]!), await window(order[1]!)];
      pairs.push(order[0] ? { with: a, without: b } : { with: b, without: a });
    }
    return { pairs, scrapes, bytes: summarise(bytes).median };
  } finally {
    run.child.kill("SIGINT");
    run.child.kill("SIGINT");
    await run.finished;
    rmSync(folder, { recursive: true, force: true });
  }
}

/** What a step's event and a scrape cost by themselves, with so many workers. */
async function collectors(workers: number) {
  const { spec } = parseJob(readFileSync(join(ROOT, "deploy/jobs/fashion.yaml"), "utf8"));
  const { context, facts } = idleFacts(spec);
  const registry = createRegistry({
    collectors: RUN_COLLECTORS,
    context,
    labels: { training_job: "bench", component: "coordinator" },
  });
  const names = Array.from({ length: workers }, (_, k) => `worker-${k}`);
  const seconds = {
    total: 1,
    gather: 0.8,
    compute: 0.6,
    pull: 0,
    data: 0,
    handover: 0.2,
    reduce: 0.1,
    optimize: 0.1,
    publish: 0,
  };
  const step: RunEvent = {
    kind: "step",
    step: 0,
    loss: 1,
    gradNorm: 1,
    lr: 1,
    workers,
    skipped: false,
    imagesPerSecond: 1,
    seconds,
    blocks: names.map((worker, k) => ({ lo: k, hi: k + 1, worker })),
  };
  const members = names.map((workerId) => ({
    workerId,
    phase: "ready",
    device: "wasm",
    transport: "shm",
    imagesPerSecond: 100,
    heartbeatAgeMs: 1,
    share: 0,
    suspect: "",
    queued: 1,
  }));
  const saves = { written: 0, failed: 0, retried: 0, stallSeconds: 0, passedOver: 0 };
  const bounds = { desired: workers, min: 1, max: 2 * workers };
  const status: RunStatus = {
    job: "bench",
    phase: "Training",
    reason: "",
    step: 1,
    steps: 2,
    loss: 1,
    imagesPerSecond: 1,
    etaSeconds: 1,
    workers,
    members,
    incarnation: 1,
    ...bounds,
    secondsByState: {},
    wallSeconds: 1,
    goodput: 1,
    saves,
  };
  const STEPS = 2_000;
  const eventUs: number[] = [];
  const renderMs: number[] = [];
  for (let repeat = 0; repeat < 20; repeat++) {
    const started = performance.now();
    for (let k = 0; k < STEPS / 20; k++) registry.event({ ...step, step: repeat * STEPS + k });
    eventUs.push(((performance.now() - started) * 1000) / (STEPS / 20));
    const asked = performance.now();
    await registry.render({ incarnation: 1, status, facts: facts() });
    renderMs.push(performance.now() - asked);
  }
  return { workers, eventUs: summarise(eventUs), renderMs: summarise(renderMs) };
}

const quantile = (values: readonly number[], q: number): number =>
  [...values].sort((a, b) => a - b)[Math.min(values.length - 1, Math.floor(q * values.length))]!;

console.log(machineLine());
const own = [await collectors(2), await collectors(64), await collectors(1024)];
console.log(
  markdownTable([
    ["workers", "a step's event, us", "a scrape's text, ms"],
    ...own.map(({ workers, eventUs, renderMs }) => [`${workers}`, spread(eventUs, 1), spread(renderMs, 1)]),
  ]),
);
const { pairs, scrapes, bytes } = await live();
const overhead = summarise(pairs.map((pair) => pair.with / pair.without - 1));
const stepMs = summarise(pairs.map(({ without }) => 1000 * without));
console.log(
  markdownTable([
    ["the quickstart's job, 2 workers", `${WATCHERS} scrapes a second`],
    ["a scrape, ms: p50", quantile(scrapes, 0.5).toFixed(1)],
    ["p95", quantile(scrapes, 0.95).toFixed(1)],
    ["longest", Math.max(...scrapes).toFixed(1)],
    ["bytes of one", bytes.toFixed(0)],
    ["a step without, ms", spread(stepMs, 1)],
    [
      "a step longer with, %, by pairs",
      spread(summarise(pairs.map((pair) => 100 * (pair.with / pair.without - 1))), 2),
    ],
  ]),
);
finish("metrics", options.json, {
  ratios: {
    "step time without scrapes over with": 1 / (1 + overhead.median),
    "50 ms over a scrape's p95": 50 / quantile(scrapes, 0.95),
  },
  results: {
    own,
    pairs,
    scrapes: { p50: quantile(scrapes, 0.5), p95: quantile(scrapes, 0.95), n: scrapes.length },
    bytes,
  },
});
