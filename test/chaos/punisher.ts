// npm run punisher -- --faults 200 --seed 1
// Kills, freezes, cuts and restarts workers, coordinator and network at random while one job runs; prints how long each
// kind of fault took to the next commit, and whether the run ended with the bits of a calm one. Exits 1 if it did not.

import { mkdirSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { histogramChart } from "../../shared/data/histogram.ts";
import { machineLine } from "../bench/measure.ts";
import { FAULT_KINDS, type FaultKind } from "./faults.ts";
import { punish, rowsOf, secondsOf } from "./punish.ts";

const HELP = `npm run punisher -- [options]

  --faults N       faults to inject (200)
  --every S        mean seconds between the recovery from one fault and the next fault (2)
  --seed S         which faults, on whom, when (1)
  --workers N      worker processes (2)
  --kinds LIST     of: ${FAULT_KINDS.join(", ")} (all)
  --job FILE       a job to run to its end; without it a small one that is stopped after the last fault
  --calm FILE      summary.json of the same job without faults; without it that run is made
  --set path=value override a field of the job; may be given again
  --out DIR        punisher.json, punisher.svg and the two runs (runs/punisher)

Example: npm run punisher -- --faults 200 --seed 7 --every 1`;

const { values } = parseArgs({
  options: {
    faults: { type: "string", default: "200" },
    every: { type: "string", default: "2" },
    seed: { type: "string", default: "1" },
    workers: { type: "string", default: "2" },
    kinds: { type: "string", default: FAULT_KINDS.join(",") },
    job: { type: "string" },
    calm: { type: "string" },
    set: { type: "string", multiple: true, default: [] },
    out: { type: "string", default: "runs/punisher" },
    help: { type: "boolean", default: false },
  },
});
if (values.help) {
  console.log(HELP);
  process.exit(0);
}

const number = (name: "faults" | "every" | "seed" | "workers"): number => {
  const n = Number(values[name]);
  if (Number.isFinite(n) && n >= 0) return n;
  console.error(`punisher: --${name} ${values[name]} is no number\n\n${HELP}`);
  process.exit(2);
};
const isFault = (text: string): text is FaultKind => FAULT_KINDS.some((kind) => kind === text);
const kinds = values.kinds.split(",").map((text) => text.trim());
if (!kinds.every(isFault)) {
  console.error(`punisher: --kinds ${values.kinds} names an unknown kind\n\n${HELP}`);
  process.exit(2);
}

const out = resolve(values.out);
const punished = await punish({
  jobFile: values.job ?? smallJob(),
  out,
  workers: number("workers"),
  faults: number("faults"),
  everySeconds: number("every"),
  seed: number("seed"),
  kinds,
  args: values.set.flatMap((each) => ["--set", each]),
  stopAfter: values.job === undefined,
  calm: values.calm,
  onNote: (line) => console.error(`  ${line}`),
});

const { injected, summary, calm, same, auditOk } = punished;
const rows = rowsOf(injected);
const speed = summary.steps / summary.wallSeconds / (calm.steps / calm.wallSeconds);
console.log(machineLine());
console.log(
  `${injected.length} faults in ${summary.wallSeconds.toFixed(0)} s, ${summary.steps} steps, ${values.workers} workers, seed ${values.seed}`,
);
console.log(`goodput ${summary.goodput.toFixed(3)}; ${speed.toFixed(3)} of the calm run's steps a second`);
for (const [state, seconds] of Object.entries(summary.secondsByState))
  if (seconds > 0.05) console.log(`  ${state.padEnd(14)} ${seconds.toFixed(1)} s`);
console.log("seconds from the fault to the next commit");
console.log("  kind                   n    p50    p95    max");
for (const { kind, n, p50, p95, max } of rows)
  console.log(
    `  ${kind.padEnd(18)} ${String(n).padStart(5)} ${[p50, p95, max].map((x) => x.toFixed(2).padStart(6)).join(" ")}`,
  );
console.log(`weights ${same ? "the same as the calm run's" : "DIFFER from the calm run's"}: ${summary.weightsSha256}`);
console.log(`audit ${auditOk ? "whole: every sample exactly once" : "FAILED"}`);
mkdirSync(out, { recursive: true });
const { recoveryLog: _, ...short } = summary;
writeFileSync(
  join(out, "punisher.json"),
  `${JSON.stringify({ options: values, same, auditOk, speed, rows, injected, summary: short }, null, 2)}\n`,
);
const series = rows.map(({ kind }) => ({ name: kind, values: secondsOf(injected, kind) }));
writeFileSync(
  join(out, "punisher.svg"),
  histogramChart(series, { title: "From a fault to the next committed step", unit: "s", log: true }),
);
console.log(`written: ${join(out, "punisher.json")}, ${join(out, "punisher.svg")}`);
process.exit(same && auditOk ? 0 : 1);

function smallJob(): string {
  const file = join(tmpdir(), `plume-punished-${process.pid}.yaml`);
  writeFileSync(
    file,
    `metadata: { name: punished }
spec:
  data: { source: "shapes:512", imageSize: 16, patch: 2 }
  model: { channels: 8, channelMult: [1, 2], groups: 4, classes: 10 }
  diffusion: { predict: v }
  training: { steps: 100000, globalBatch: 32, microBatch: 8, optimizer: { lr: 1.0e-3 }, clip: 1, ema: 0.99 }
  workers: { max: 16, heartbeatSeconds: 0.25, deadlineSeconds: 3, replaceSeconds: 5 }
  checkpoint: { everySteps: 500, snapshotSeconds: 1 }
  sampling: { count: 0 }
`,
  );
  return file;
}
