// npm run bench:wire -- what a wire dtype does to learning: the quickstart's job trained once in each, everything else
// the same; loss, Fréchet distance and accuracy of its pictures, bytes of a gradient. [--quick] [--json FILE] [--svg FILE]
// [--dir DIR] keeps the runs and goes on with those that are there.

import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { loadJob } from "../../shared/config/load.ts";
import { readCard } from "../../shared/data/card.ts";
import { PlumeError } from "../../shared/errors.ts";
import { buildNetwork } from "../../shared/pipeline/network.ts";
import { ROOT } from "../../shared/root.ts";
import { readSummary } from "../../shared/summary.ts";
import { buildLayout } from "../../shared/tensor/layout.ts";
import { openWire, WIRE_DTYPES, type WireDtype, wireBytes } from "../../shared/wire/index.ts";
import { logLogChart } from "./log-log.ts";
import { COMMON_OPTIONS, finish, machineLine, markdownTable } from "./measure.ts";

const { values: options } = parseArgs({
  options: { ...COMMON_OPTIONS, svg: { type: "string" }, dir: { type: "string" } },
});
const DTYPES = Object.keys(WIRE_DTYPES) as WireDtype[];
const COLOURS = { float32: "#08519c", bfloat16: "#e6550d", int8: "#31a354" } satisfies Record<WireDtype, string>;
const job = join(ROOT, options.quick ? "deploy/jobs/shapes.yaml" : "deploy/jobs/fashion.yaml");
/** Without pictures at the end there is nothing to judge. */
const less = options.quick ? ["--steps", "100", "--set", "sampling.count=0"] : [];

function plume(...args: string[]): string {
  const { status, stdout, stderr } = spawnSync(process.execPath, [join(ROOT, "coordinator/cli/plume.mjs"), ...args], {
    encoding: "utf8",
    maxBuffer: 64 << 20,
    cwd: ROOT,
  });
  if (status !== 0) throw new PlumeError("INTERNAL", `plume ${args.join(" ")} ended with ${status}\n${stderr}`);
  return stdout;
}

/** What is read of `plume eval --json`. */
interface Evaluated {
  readonly rows: readonly { readonly metrics: Readonly<Record<"accuracy" | "frechet", { readonly mean: number }>> }[];
}

async function measure(folder: string, dtype: WireDtype) {
  const out = join(folder, dtype);
  plume("train", "-f", job, "--out", out, "--set", `training.wireDtype=${dtype}`, ...less);
  const losses = readFileSync(join(out, "metrics.ndjson"), "utf8")
    .split("\n")
    .filter(Boolean)
    .map((line) => (JSON.parse(line) as { loss: number }).loss);
  const judged = options.quick
    ? null
    : (JSON.parse(plume("eval", out, "--stages", "final", "--json")) as Evaluated).rows[0]!.metrics;
  const { spec } = loadJob(join(out, "job.yaml"), { set: [] });
  const card = readCard(join(out, "dataset.json"));
  const layout = buildLayout((await buildNetwork(spec, card!)).params);
  const last = losses.slice(Math.floor(losses.length * 0.75));
  return {
    dtype,
    losses,
    lastQuarter: last.reduce((sum, loss) => sum + loss, 0) / last.length,
    bytes: wireBytes(openWire({ wireDtype: dtype }, 0), layout),
    judged,
    backend: spec.workers.backend,
    weightsSha256: readSummary(join(out, "summary.json")).weightsSha256,
  };
}

/** Means of runs of steps that double in length: the noise of single steps would hide what is compared. */
function curve(losses: readonly number[]): [number, number][] {
  const points: [number, number][] = [];
  for (let from = 0; from < losses.length; ) {
    const to = Math.min(losses.length, from + Math.max(4, Math.floor(from / 6)));
    points.push([(from + to + 1) / 2, losses.slice(from, to).reduce((sum, x) => sum + x, 0) / (to - from)]);
    from = to;
  }
  return points;
}

const folder = options.dir ?? mkdtempSync(join(tmpdir(), "plume-bench-wire-"));
try {
  const runs = [];
  for (const dtype of DTYPES) runs.push(await measure(folder, dtype));
  const [exact] = runs;
  console.log(`${machineLine()}; ${exact!.losses.length} steps on ${exact!.backend}\n`);
  console.log(
    markdownTable([
      ["training.wireDtype", "gradient, KiB", "mean loss, last quarter", "Fréchet", "accuracy"],
      ...runs.map(({ dtype, bytes, lastQuarter, judged }) => [
        dtype,
        (bytes / 1024).toFixed(0),
        lastQuarter.toFixed(5),
        judged?.frechet.mean.toFixed(1) ?? "-",
        judged?.accuracy.mean.toFixed(3) ?? "-",
      ]),
    ]),
  );
  console.log();
  if (options.svg) {
    const lines = runs.map(({ dtype, losses }) => ({
      name: dtype,
      colour: COLOURS[dtype],
      dashed: dtype !== "float32",
      points: curve(losses),
    }));
    writeFileSync(options.svg, logLogChart(lines, { title: "Loss by wire dtype", x: "step", y: "loss" }));
  }
  finish("wire", options.json, {
    ratios: Object.fromEntries(
      runs.slice(1).map(({ dtype, lastQuarter }) => [`${dtype}LossVsFloat32`, exact!.lastQuarter / lastQuarter]),
    ),
    results: runs,
  });
} finally {
  if (!options.dir) rmSync(folder, { recursive: true, force: true });
}
