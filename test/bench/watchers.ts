// npm run bench:watchers -- what five who watch a run cost it: a real run of the job of deploy/jobs/shapes.yaml, watched and
// not watched in turn. Step times of neighbouring stretches are compared, and the coordinator's own processor time.
// [--quick] [--json FILE]

import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { createParser } from "../../coordinator/ui/sse.ts";
import { ROOT } from "../../shared/root.ts";
import { readRunLock } from "../../shared/run-lock/lock.ts";
import { linesOf, until } from "../support/plume.ts";
import { COMMON_OPTIONS, finish, machineLine, markdownTable, processorMs, spread, summarise } from "./measure.ts";

const { values: options } = parseArgs({ options: COMMON_OPTIONS });
const PAIRS = options.quick ? 4 : 24;
const STEPS = options.quick ? 20 : 50;
/** Of a stretch, until pages are there and have what was before. */
const LEFT_OUT = 5;
const WATCHERS = 5;
interface Stretch {
  /** Median milliseconds of a step. */
  readonly stepMs: number;
  /** Of the coordinator, all its threads, a step. */
  readonly processorMs: number;
}

const folder = mkdtempSync(join(tmpdir(), "plume-bench-"));
process.on("exit", () => rmSync(folder, { recursive: true, force: true }));
const out = join(folder, "run");
const command = [
  "train",
  "-f",
  "deploy/jobs/shapes.yaml",
  "--out",
  out,
  "--steps",
  "1000000",
  "--set",
  "sampling.count=0",
];
const run = spawn(process.execPath, ["coordinator/cli/plume.mjs", ...command], {
  cwd: ROOT,
  stdio: "ignore",
});

/** What a page does: reads what there is, then every event. @returns how many it got, once it has left. */
function watch(url: string): { leave(): Promise<number> } {
  const stop = new AbortController();
  let messages = 0;
  const reading = (async () => {
    for (const path of ["api/run", "api/history?points=1200", "api/blocks", "api/samples"])
      await (await fetch(`${url}/${path}`)).text();
    const response = await fetch(`${url}/api/events`, { signal: stop.signal });
    const parse = createParser();
    const decoder = new TextDecoder();
    for await (const piece of response.body!) messages += parse(decoder.decode(piece, { stream: true })).length;
  })().catch(() => {});
  return {
    async leave() {
      stop.abort();
      await reading;
      return messages;
    },
  };
}

const stepTimes = (): number[] =>
  linesOf(join(out, "metrics.ndjson")).map(
    (line) => 1000 * (JSON.parse(line) as { seconds: { total: number } }).seconds.total,
  );

async function stretch(pid: number): Promise<Stretch> {
  const count = () => linesOf(join(out, "metrics.ndjson")).length;
  const begin = count() + LEFT_OUT;
  await until("a stretch begins", () => count() >= begin, 300);
  const before = processorMs(pid);
  const first = count();
  await until("a stretch ends", () => count() >= first + STEPS, 600);
  const steps = stepTimes().slice(first, first + STEPS);
  return { stepMs: summarise(steps).median, processorMs: (processorMs(pid) - before) / (count() - first) };
}

await until("the run is on its way", () => linesOf(join(out, "metrics.ndjson")).length >= 20, 120);
const { pid, url } = readRunLock(out)!.record;
console.log(machineLine());
const pairs: { readonly alone: Stretch; readonly watched: Stretch }[] = [];
let messages = 0;
for (let pair = 0; pair < PAIRS; pair++) {
  const watchedFirst = pair % 2 === 1; // whatever drifts, drifts both ways
  const measured: Partial<Record<"alone" | "watched", Stretch>> = {};
  for (const how of watchedFirst ? (["watched", "alone"] as const) : (["alone", "watched"] as const)) {
    const watchers = how === "watched" ? Array.from({ length: WATCHERS }, () => watch(url)) : [];
    measured[how] = await stretch(pid);
    for (const { leave } of watchers) messages += await leave();
  }
  pairs.push(measured as (typeof pairs)[number]);
}
run.kill("SIGTERM");
await once(run, "exit");

const part = (how: "alone" | "watched", what: keyof Stretch) => summarise(pairs.map((pair) => pair[how][what]));
const more = summarise(pairs.map(({ alone, watched }) => 100 * (watched.stepMs / alone.stepMs - 1)));
const own = summarise(pairs.map(({ alone, watched }) => watched.processorMs - alone.processorMs));
console.log(
  markdownTable([
    ["median (min to max)", "alone", `${WATCHERS} watch`],
    ["step, ms", spread(part("alone", "stepMs"), 1), spread(part("watched", "stepMs"), 1)],
    [
      "the coordinator's processor time a step, ms",
      spread(part("alone", "processorMs"), 2),
      spread(part("watched", "processorMs"), 2),
    ],
  ]),
);
const share = (100 * own.median) / part("alone", "stepMs").median;
console.log(
  `a step takes ${spread(more, 1)} % more by pairs; the coordinator ${spread(own, 2)} ms more a step, ${share.toFixed(2)} % of a step`,
);
console.log(`${messages} messages were read`);
const ratio = part("alone", "stepMs").median / part("watched", "stepMs").median;
finish("watchers", options.json, { ratios: { "alone / watched": ratio }, results: { pairs, more, own } });
process.exit(0);
