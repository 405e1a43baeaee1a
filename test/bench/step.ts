// npm run bench:step -- what a training step of deploy/jobs/fashion.yaml costs, by part, with one worker and with two;
// and one micro-batch against PyTorch on one thread. [--backend wasm|tfjs-node] [--steps 40] [--json]
// [--only runs|micro]

import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { BACKEND_NAMES } from "../../shared/backends/backend.ts";
import { loadJob } from "../../shared/config/load.ts";
import { invariant } from "../../shared/invariant.ts";
import { machine, machineLine, markdownTable, runTorch, type Summary, spread, summarise } from "./measure.ts";
import { openMicroBatchBench } from "./micro-batch.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const JOB = join(ROOT, "deploy/jobs/fashion.yaml");
/** The first steps of a run are not like the others: code is compiled, prefetch is empty. */
const SKIPPED = 5;
const PARTS = ["pull", "compute", "handover", "reduce", "optimize", "publish", "total"] as const;
type Part = (typeof PARTS)[number];

const { values: options } = parseArgs({
  options: {
    backend: { type: "string", default: "wasm" },
    steps: { type: "string", default: "40" },
    json: { type: "boolean", default: false },
    only: { type: "string", default: "" },
  },
});

const backend = BACKEND_NAMES.find((name) => name === options.backend);
invariant(backend, `--backend is one of ${BACKEND_NAMES.join(", ")}`);

interface StepLine {
  readonly step: number;
  readonly imagesPerSecond: number;
  readonly seconds: Readonly<Record<string, number>>;
}

interface RunResult {
  readonly workers: number;
  readonly imagesPerSecond: Summary;
  /** Milliseconds. */
  readonly parts: Readonly<Record<Part, Summary>>;
}

/** A real run in a folder of its own. */
function trainRun(workers: number): RunResult {
  const folder = mkdtempSync(join(tmpdir(), "plume-bench-"));
  try {
    const plume = join(ROOT, "coordinator/cli/plume.mjs");
    const args = ["train", "-f", JOB, "--workers", String(workers), "--steps", options.steps, "--resume", "never"];
    args.push("--set", "sampling.count=0", "--set", `workers.backend=${backend}`, "--out", folder);
    const { status, stdout, stderr } = spawnSync(process.execPath, [plume, ...args], { encoding: "utf8" });
    invariant(status === 0, `plume train ended with ${status}: ${stdout}${stderr}`);
    const lines = readFileSync(join(folder, "metrics.ndjson"), "utf8").trim().split("\n");
    return summariseRun(
      workers,
      lines.map((line) => JSON.parse(line) as StepLine).filter(({ step }) => step >= SKIPPED),
    );
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function summariseRun(workers: number, lines: readonly StepLine[]): RunResult {
  const millis = (part: Part, { seconds }: StepLine): number => {
    const of = (name: string) => seconds[name] ?? 0;
    // What a step waits for beside the slowest worker's computing and pulling: leases out, results in and summed.
    if (part === "handover") return Math.max(0, of("gather") - of("compute") - of("pull")) * 1000;
    return of(part) * 1000;
  };
  const parts = PARTS.map((part) => [part, summarise(lines.map((line) => millis(part, line)))] as const);
  return {
    workers,
    imagesPerSecond: summarise(lines.map((line) => line.imagesPerSecond)),
    parts: Object.fromEntries(parts) as Record<Part, Summary>,
  };
}

interface TorchResult {
  readonly torch: string;
  readonly parameters: number;
  readonly millis: readonly number[];
}

/** Rounds of both, in turn, so that a busy minute hits both. */
async function againstTorch() {
  const { spec } = loadJob(JOB, { set: [] });
  const bench = await openMicroBatchBench(spec, spec.data.imageSize, backend!);
  const plume: number[] = [];
  const torch: number[] = [];
  let version = "";
  let missing = "";
  for (let warm = 0; warm < 5; warm++) bench.step();
  for (let round = 0; round < 4; round++) {
    for (let k = 0; k < 15; k++) plume.push(bench.step());
    if (missing) continue;
    const ran = runTorch<TorchResult>("unet_step.py", "--steps", "15");
    if ("missing" in ran) {
      missing = ran.missing;
      continue;
    }
    const same = ran.result.parameters === bench.parameters;
    invariant(same, `plume's network has ${bench.parameters} parameters, PyTorch's ${ran.result.parameters}`);
    torch.push(...ran.result.millis);
    version = ran.result.torch;
  }
  return {
    parameters: bench.parameters,
    device: bench.device,
    plume: summarise(plume),
    torch: torch.length > 0 ? summarise(torch) : null,
    torchVersion: version,
    missing,
  };
}

const started = machine();
const runs = options.only === "micro" ? [] : [1, 2].map(trainRun);
const micro = options.only === "runs" ? null : await againstTorch();

if (options.json) console.log(JSON.stringify({ machine: started, runs, micro }));
else {
  console.log(`${machineLine()}\n`);
  if (runs.length > 0) {
    const [one, two] = runs as [RunResult, RunResult];
    const head = ["ms, median (min to max)", "1 worker", "2 workers"];
    const rows = PARTS.map((part) => [part, ...runs.map((run) => spread(run.parts[part], 1))]);
    console.log(markdownTable([head, ...rows, ["images/s", ...runs.map((run) => spread(run.imagesPerSecond, 0))]]));
    const ratio = two.imagesPerSecond.median / one.imagesPerSecond.median;
    console.log(`\ntwo workers / one worker: ${ratio.toFixed(2)}\n`);
  }
  if (micro) {
    const rows = [[`plume, ${micro.device}`, spread(micro.plume, 1)]];
    if (micro.torch) rows.push([`PyTorch ${micro.torchVersion}, 1 thread`, spread(micro.torch, 1)]);
    console.log(
      markdownTable([[`micro-batch of 16, ${micro.parameters} parameters`, "ms, median (min to max)"], ...rows]),
    );
    const ratio = micro.torch && micro.torch.median / micro.plume.median;
    console.log(ratio ? `\nPyTorch / plume: ${ratio.toFixed(2)}` : `\nno PyTorch: ${micro.missing}`);
  }
}
