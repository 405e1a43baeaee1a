// npm run bench:scale -- what a step costs on the coordinator as workers are added: real sessions, leases and transfers,
// gradients that are ready before they are asked for. [--quick] [--json FILE] [--svg FILE]

import { writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { logLogChart } from "./log-log.ts";
import { COMMON_OPTIONS, finish, machineLine, markdownTable, spread } from "./measure.ts";
import { type SyntheticRun, syntheticRun } from "./synthetic-run.ts";

const { values: options } = parseArgs({ options: { ...COMMON_OPTIONS, svg: { type: "string" } } });
const COUNTS = options.quick ? [4, 16, 64] : [1, 2, 4, 8, 16, 32, 64];
/** Below this many workers a step is mostly waiting for messages, above it bytes. */
const FROM = 4;

const runs: SyntheticRun[] = [];
for (const workers of COUNTS)
  runs.push(
    await syntheticRun({
      workers,
      processes: Math.min(workers, 2),
      channels: 16,
      steps: options.quick ? 12 : 30,
      transport: "shm",
    }),
  );

console.log(`${machineLine()}\n`);
const mib = (run: SyntheticRun) => (2 * run.workers * run.bytes) / 2 ** 20;
const millis = (run: SyntheticRun) => run.parts.total!.median;
console.log(
  markdownTable([
    ["workers", "MiB in and out a step", "ms a step, median (min to max)", "ms a worker"],
    ...runs.map((run) => [
      String(run.workers),
      mib(run).toFixed(1),
      spread(run.parts.total!, 1),
      (millis(run) / run.workers).toFixed(2),
    ]),
  ]),
);
console.log();
const from = runs.find(({ workers }) => workers === FROM)!;
const to = runs.at(-1)!;
if (options.svg) {
  const line = (of: (run: SyntheticRun) => number) => runs.map((run) => [run.workers, of(run)] as const);
  const chart = logLogChart(
    [
      { name: "a step", colour: "#08519c", points: line(millis) },
      {
        name: "as bytes grow",
        colour: "#888",
        dashed: true,
        points: line((run) => (millis(from) * mib(run)) / mib(from)),
      },
    ],
    { title: "What a step costs, without computing", x: "workers", y: "ms" },
  );
  writeFileSync(options.svg, chart);
}
finish("scale", options.json, {
  ratios: { bytesGrowthOverStepGrowth: mib(to) / mib(from) / (millis(to) / millis(from)) },
  results: runs,
});
