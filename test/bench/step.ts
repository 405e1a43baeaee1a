// npm run bench:step -- one micro-batch, forward, backward and AdamW, on one thread: every backend against PyTorch, on the
// quickstart's network and on a wider one; and what a step of the quickstart costs by part, with one worker and with two.
// [--backend NAME, repeated; default: what is here] [--only micro|runs] [--quick] [--json FILE]

import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import type { BackendName } from "../../shared/backends/backend.ts";
import { loadJob } from "../../shared/config/load.ts";
import { invariant } from "../../shared/invariant.ts";
import { ROOT } from "../../shared/root.ts";
import { benchedBackends, openElsewhere, serveTurns } from "./elsewhere.ts";
import {
  COMMON_OPTIONS,
  finish,
  machineLine,
  markdownTable,
  runTorch,
  type Summary,
  spread,
  summarise,
} from "./measure.ts";
import { openMicroBatchBench } from "./micro-batch.ts";

const JOB = join(ROOT, "deploy/jobs/fashion.yaml");
/** The first steps of a run are not like the others: code is compiled, prefetch is empty. */
const SKIPPED = 5;
const PARTS = ["pull", "compute", "handover", "reduce", "optimize", "publish", "total"] as const;
type Part = (typeof PARTS)[number];

/** A network as plume's job and as torch/unet_step.py name it. */
interface Net {
  readonly name: string;
  readonly set: readonly string[];
  readonly torch: readonly string[];
  /** Steps between two changes of turn. */
  readonly steps: number;
}

const NETS: readonly Net[] = [
  { name: "quickstart: 16 [1,2], 14x14x4", set: [], torch: [], steps: 15 },
  {
    name: "wide: 32 [1,2,2], 28x28x1",
    set: ["data.patch=1", "model.channels=32", "model.channelMult=[1,2,2]"],
    torch: ["--channels", "32", "--mult", "1,2,2", "--side", "28", "--patched", "1"],
    steps: 5,
  },
];

const { values: options } = parseArgs({
  options: {
    ...COMMON_OPTIONS,
    backend: { type: "string", multiple: true },
    only: { type: "string" },
    serve: { type: "string" },
  },
});

const missing = new Set<string>();
const backends = await benchedBackends(options.backend, missing);

// --- One micro-batch ------------------------------------------------------------------------------------------------

interface Opened {
  readonly parameters: number;
}

async function serveMicroBatch(request: string): Promise<void> {
  const { backend, set } = JSON.parse(request) as { backend: BackendName; set: string[] };
  const { spec } = loadJob(JOB, { set });
  const bench = await openMicroBatchBench(spec, spec.data.imageSize, backend);
  for (let warm = 0; warm < (set.length > 0 ? 2 : 5); warm++) await bench.step();
  serveTurns({ parameters: bench.parameters } satisfies Opened, bench.step);
}

interface TorchResult {
  readonly torch: string;
  readonly parameters: number;
  readonly millis: readonly number[];
}

interface MicroResult {
  readonly net: string;
  readonly parameters: number;
  readonly millis: Readonly<Record<string, Summary>>;
}

const TORCH = "PyTorch";
const TORCH_AVX2 = "PyTorch, held to AVX2";

/** Rounds of all, in turn, so that a busy minute hits all. */
async function microBatches(net: Net): Promise<MicroResult> {
  const steps = options.quick ? Math.ceil(net.steps / 2) : net.steps;
  const ours = [];
  for (const backend of backends) {
    const bench = await openElsewhere<Opened>(backend, { backend, set: net.set });
    ours.push({ backend, bench });
  }
  const { parameters } = ours[0]!.bench.opened;
  const millis: Record<string, number[]> = {};
  const add = (name: string, values: readonly number[]) => {
    millis[name] = [...(millis[name] ?? []), ...values];
  };
  for (let round = 0; round < (options.quick ? 1 : 4); round++) {
    for (const { backend, bench } of ours) add(backend, await bench.turns(steps));
    for (const [name, env] of [
      [TORCH, {}],
      [TORCH_AVX2, { ONEDNN_MAX_CPU_ISA: "AVX2" }],
    ] as const) {
      const ran = runTorch<TorchResult>("unet_step.py", ["--steps", String(steps), "--warmup", "2", ...net.torch], env);
      if ("missing" in ran) {
        missing.add(ran.missing);
        continue;
      }
      invariant(
        ran.result.parameters === parameters,
        `plume's network has ${parameters} parameters, PyTorch's ${ran.result.parameters}`,
      );
      add(name, ran.result.millis);
    }
  }
  for (const { bench } of ours) bench.close();
  return {
    net: net.name,
    parameters,
    millis: Object.fromEntries(Object.entries(millis).map(([name, values]) => [name, summarise(values)])),
  };
}

// --- A step of a run ------------------------------------------------------------------------------------------------

interface StepLine {
  readonly step: number;
  readonly imagesPerSecond: number;
  readonly seconds: Readonly<Record<string, number>>;
}

interface RunResult {
  readonly backend: BackendName;
  readonly workers: number;
  readonly imagesPerSecond: Summary;
  /** Milliseconds. */
  readonly parts: Readonly<Record<Part, Summary>>;
}

/** A real run in a folder of its own. */
function trainRun(backend: BackendName, workers: number): RunResult {
  const folder = mkdtempSync(join(tmpdir(), "plume-bench-"));
  try {
    const plume = join(ROOT, "coordinator/cli/plume.mjs");
    const steps = String(options.quick ? 15 : 60);
    const args = ["train", "-f", JOB, "--workers", String(workers), "--steps", steps, "--resume", "never"];
    args.push("--set", "sampling.count=0", "--set", `workers.backend=${backend}`, "--out", folder);
    const { status, stdout, stderr } = spawnSync(process.execPath, [plume, ...args], { encoding: "utf8" });
    invariant(status === 0, `plume train ended with ${status}: ${stdout}${stderr}`);
    const lines = readFileSync(join(folder, "metrics.ndjson"), "utf8").trim().split("\n");
    const kept = lines.map((line) => JSON.parse(line) as StepLine).filter(({ step }) => step >= SKIPPED);
    return { backend, workers, ...summariseRun(kept) };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function summariseRun(lines: readonly StepLine[]): Pick<RunResult, "imagesPerSecond" | "parts"> {
  const millis = (part: Part, { seconds }: StepLine): number => {
    const of = (name: string) => seconds[name] ?? 0;
    // What a step waits for beside the slowest worker's computing and pulling: leases out, results in and summed.
    if (part === "handover") return Math.max(0, of("gather") - of("compute") - of("pull")) * 1000;
    return of(part) * 1000;
  };
  const parts = PARTS.map((part) => [part, summarise(lines.map((line) => millis(part, line)))] as const);
  return {
    imagesPerSecond: summarise(lines.map((line) => line.imagesPerSecond)),
    parts: Object.fromEntries(parts) as Record<Part, Summary>,
  };
}

// --- All of it ------------------------------------------------------------------------------------------------------

async function main(): Promise<void> {
  const nets: MicroResult[] = [];
  if (options.only !== "runs") for (const net of NETS) nets.push(await microBatches(net));
  const ran = options.quick ? backends.slice(0, 1) : backends;
  const runs = options.only === "micro" ? [] : ran.flatMap((backend) => [1, 2].map((n) => trainRun(backend, n)));

  console.log(`${machineLine()}\n`);
  for (const { net, parameters, millis } of nets) {
    const rows = Object.entries(millis).map(([name, summary]) => [name, spread(summary, 1)]);
    console.log(markdownTable([[`${net}, 16 images, ${parameters} parameters`, "ms, median (min to max)"], ...rows]));
    console.log();
  }
  if (runs.length > 0) {
    const head = ["ms, median (min to max)", ...runs.map(({ backend, workers }) => `${backend}, ${workers}`)];
    const rows = PARTS.map((part) => [part, ...runs.map((run) => spread(run.parts[part], 1))]);
    console.log(markdownTable([head, ...rows, ["images/s", ...runs.map((run) => spread(run.imagesPerSecond, 0))]]));
    console.log();
  }

  const against = (net: number, backend: BackendName, peer: string) => {
    const { [backend]: ours, [peer]: theirs } = nets[net]?.millis ?? {};
    return ours && theirs ? theirs.median / ours.median : undefined;
  };
  const twoOverOne = (backend: BackendName) => {
    const [one, two] = runs.filter((run) => run.backend === backend);
    return one && two ? two.imagesPerSecond.median / one.imagesPerSecond.median : undefined;
  };
  finish("step", options.json, {
    ratios: {
      wasmVsTorch: against(0, "wasm", TORCH),
      wasmVsTorchAvx2: against(0, "wasm", TORCH_AVX2),
      wasmVsTorchWide: against(1, "wasm", TORCH),
      wasmVsTorchWideAvx2: against(1, "wasm", TORCH_AVX2),
      tfjsNodeVsTorch: against(0, "tfjs-node", TORCH),
      tfjsNodeVsTorchWide: against(1, "tfjs-node", TORCH),
      twoWorkersVsOne: twoOverOne("wasm"),
      twoWorkersVsOneTfjsNode: twoOverOne("tfjs-node"),
    },
    results: { nets, runs },
    missing: [...missing],
  });
}

await (options.serve ? serveMicroBatch(options.serve) : main());
