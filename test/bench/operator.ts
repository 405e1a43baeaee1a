// npm run bench:operator -- the operator at size: 200 jobs with 2,000 pods on a real API server with its real controllers, and
// coordinators that answer; pods are only written down (fleet.ts). How long a change waits, how many calls a job costs, and what
// the operator's process takes. [--quick] (20 jobs) [--jobs N] [--at-once N] [--seconds N] [--json FILE]

import { parseArgs } from "node:util";
import { createApi } from "../../k8s/operator/api.ts";
import { sleep } from "../../shared/clock.ts";
import { inParallel } from "../../shared/parallel.ts";
import { startControlPlane } from "../support/kubernetes/control-plane.ts";
import { configOf, installOperator } from "../support/kubernetes-operator.ts";
import { pause } from "../support/processes.ts";
import { auditReader, type Calls, total, writes } from "./audit.ts";
import { startCrowd } from "./crowd.ts";
import { startFleet } from "./fleet.ts";
import { COMMON_OPTIONS, finish, machineLine, markdownTable, processorMs } from "./measure.ts";
import { type OperatorProcess, residentMiB, startOperatorProcess } from "./operator-process.ts";

const { values: options } = parseArgs({
  options: { ...COMMON_OPTIONS, jobs: { type: "string" }, seconds: { type: "string" }, "at-once": { type: "string" } },
});
const JOBS = Number(options.jobs ?? (options.quick ? 20 : 200));
/** Jobs that are made before the first of them has a status. */
const AT_ONCE = Number(options["at-once"] ?? JOBS);
const WORKERS = 9;
/** Of a stretch in which nobody changes a job. */
const SECONDS = Number(options.seconds ?? (options.quick ? 10 : 300));
const ONE_BY_ONE = Math.min(JOBS, options.quick ? 10 : 40);
const TOGETHER = Math.min(JOBS, 20);
const PATIENCE_SECONDS = 900;
/** No status is written later than this after its numbers changed, and no question asked later. */
const LAST_NUMBERS_MS = 16_000;

/** What happened while something was done. */
interface Stretch {
  readonly seconds: number;
  readonly calls: Calls;
  /** Processor time over wall time: 1 is one core. */
  readonly cores: number;
  readonly residentMiB: number;
  readonly passes: number;
  readonly watchEvents: number;
  /** Questions to coordinators. */
  readonly questions: number;
  /** Jobs that waited for a pass, or were in one: the most, of a look a second. */
  readonly deepest: number;
}

await using plane = await startControlPlane({ audit: true, nodeGraceSeconds: 86_400 });
const namespace = await plane.namespace();
await installOperator(plane.kubectl, namespace);
const api = createApi({ config: configOf(plane.kubeconfig, null) });
await using fleet = await startFleet(api, namespace);
await using crowd = await startCrowd({ api, namespace, jobs: JOBS, workers: WORKERS });
const callsSince = auditReader(plane.auditLog);

const say = (text: string) => console.log(`${new Date().toISOString().slice(11, 19)} ${text}`);

async function wait(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
  const end = performance.now() + 1000 * PATIENCE_SECONDS;
  while (!(await holds())) {
    if (performance.now() > end) throw new Error(`${what}: not within ${PATIENCE_SECONDS} s`);
    await pause(100);
  }
}

const leads = async (of: OperatorProcess) => (await of.metric("plume_operator_leader")) === 1;
/** It has made so many passes, and has nothing to do. */
const isIdle = async (of: OperatorProcess, passes: number) =>
  (await leads(of)) &&
  (await of.metric("plume_operator_reconciles_total"))! >= passes &&
  (await of.metric("plume_operator_queue_depth")) === 0;

const counts = async (of: OperatorProcess) => ({
  ms: performance.now(),
  processorMs: processorMs(of.pid),
  passes: (await of.metric("plume_operator_reconciles_total"))!,
  watchEvents: (await of.metric("plume_operator_watch_events_total"))!,
  questions: fleet.answered,
});

async function stretch(of: OperatorProcess, act: () => Promise<unknown>): Promise<Stretch> {
  callsSince();
  const before = await counts(of);
  let deepest = 0;
  const done = new AbortController();
  const looking = (async () => {
    while (!done.signal.aborted) {
      deepest = Math.max(deepest, (await of.metric("plume_operator_queue_depth")) ?? 0);
      await sleep(1_000, done.signal).catch(() => {});
    }
  })();
  await Promise.race([act(), looking]); // an operator that ends is the end of looking
  done.abort();
  await looking;
  const after = await counts(of);
  const ms = after.ms - before.ms;
  return {
    seconds: ms / 1000,
    calls: callsSince(),
    cores: (after.processorMs - before.processorMs) / ms,
    residentMiB: residentMiB(of.pid).now,
    passes: after.passes - before.passes,
    watchEvents: after.watchEvents - before.watchEvents,
    questions: after.questions - before.questions,
    deepest,
  };
}

console.log(`${machineLine()}; ${JOBS} jobs, ${JOBS * (WORKERS + 1)} pods`);
const first = await startOperatorProcess(plane, namespace);
await wait("an operator leads", () => leads(first));

const latencies: Record<string, readonly number[]> = {};
const pods = () => fleet.ready;
const isSettled = (count: number) => pods() === count && crowd.settled;
const full = JOBS * (WORKERS + 1);

fleet.moving = true;
const launch = await stretch(first, async () => {
  latencies[`made, ${AT_ONCE} at once`] = await inParallel(crowd.names, AT_ONCE, (name) => crowd.create(name));
  say(`all have a status`);
  await wait("all train", () => isSettled(full));
});
say(`all train after ${launch.seconds.toFixed(1)} s`);

const training = await stretch(first, () => pause(1000 * SECONDS));
say(`they trained for ${SECONDS} s`);

const single = await stretch(first, async () => {
  const each: number[] = [];
  for (const name of crowd.names.slice(0, ONE_BY_ONE)) {
    each.push(await crowd.scale(name, WORKERS + 1));
    await pause(250);
  }
  latencies["scaled, one by one"] = each;
  await wait("they have grown", () => isSettled(full + ONE_BY_ONE));
});
const together = await stretch(first, async () => {
  const names = crowd.names.slice(0, TOGETHER);
  latencies[`scaled, ${TOGETHER} at once`] = await Promise.all(names.map((name) => crowd.scale(name, WORKERS + 2)));
  await wait("they have grown", () => isSettled(full + ONE_BY_ONE + 2 * TOGETHER - Math.min(TOGETHER, ONE_BY_ONE)));
});
say("some were scaled");

fleet.moving = false;
await pause(LAST_NUMBERS_MS);
const still = await stretch(first, () => pause(1000 * SECONDS));
say(`they stood still for ${SECONDS} s`);

if ((await first.stop()) !== 0) throw new Error("the operator did not end with 0");
callsSince();
const restarted = performance.now();
await using operator = await startOperatorProcess(plane, namespace);
await wait("it has looked at every job", () => isIdle(operator, JOBS));
const restart = {
  seconds: (performance.now() - restarted) / 1000,
  calls: callsSince(),
  cores: processorMs(operator.pid) / (performance.now() - restarted),
  residentMiB: residentMiB(operator.pid).now,
};
say(`another operator has looked at every job after ${restart.seconds.toFixed(1)} s`);

let backMs = 0;
const outage = await stretch(operator, async () => {
  await plane.apiServer.kill();
  await pause(2_000);
  await plane.apiServer.start();
  const began = performance.now();
  await crowd.scale(crowd.names.at(-1)!, WORKERS + 1);
  backMs = performance.now() - began;
  await wait("it has looked at every job", () => isIdle(operator, 0));
});
say(`a change is told of ${(backMs / 1000).toFixed(1)} s after the API server is back`);
await operator.stop();
api.close();

const quantile = (values: readonly number[], q: number): number =>
  [...values].sort((a, b) => a - b)[Math.min(values.length - 1, Math.floor(q * values.length))]!;
const seconds = (ms: number) => (ms / 1000).toFixed(2);
const hourly = ({ seconds: wall }: Stretch, count: number) => ((count / JOBS / wall) * 3600).toFixed(1);

console.log(`\n${machineLine()}\n`);
console.log(
  markdownTable([
    ["from a change to its status, s", "n", "p50", "p95", "max"],
    ...Object.entries(latencies).map(([what, ms]) => [
      what,
      `${ms.length}`,
      ...[0.5, 0.95, 1].map((q) => seconds(quantile(ms, q))),
    ]),
  ]),
);
console.log("");
const columns: Readonly<Record<string, Stretch>> = {
  launched: launch,
  training,
  "scaled one by one": single,
  "scaled at once": together,
  still,
  "API server restarted": outage,
};
const row = (what: string, of: (stretch: Stretch) => string) => [what, ...Object.values(columns).map(of)];
console.log(
  markdownTable([
    ["", ...Object.keys(columns)],
    row("seconds", (each) => each.seconds.toFixed(0)),
    row("calls of the API server", (each) => `${total(each.calls)}`),
    row("of them that write", (each) => `${total(writes(each.calls))}`),
    row("calls a job an hour", (each) => hourly(each, total(each.calls))),
    row("objects that watches told of", (each) => `${each.watchEvents}`),
    row("passes", (each) => `${each.passes}`),
    row("questions to coordinators", (each) => `${each.questions}`),
    row("most jobs in the queue", (each) => `${each.deepest}`),
    row("of one core, %", (each) => (100 * each.cores).toFixed(1)),
    row("resident, MiB", (each) => each.residentMiB.toFixed(0)),
  ]),
);
console.log("");
const kinds = [...new Set([training, still].flatMap(({ calls }) => Object.keys(calls)))].sort();
console.log(
  markdownTable([
    ["calls a job an hour", "training", "still"],
    ...kinds.map((what) => [what, ...[training, still].map((each) => hourly(each, each.calls[what] ?? 0))]),
  ]),
);
const list = (calls: Calls) =>
  Object.entries(calls)
    .map(([what, count]) => `${count} ${what}`)
    .join(", ");
console.log(`
restarted: ${restart.seconds.toFixed(1)} s until every job was looked at, ${restart.residentMiB.toFixed(0)} MiB; ${list(restart.calls)}
API server restarted: told of a change ${(backMs / 1000).toFixed(1)} s after it was back; ${list(outage.calls)}`);
const results = { jobs: JOBS, latencies, columns, restart, backMs };
finish("operator", options.json, { ratios: {}, results });
for (const [when, calls] of Object.entries({ still: still.calls, restarted: restart.calls }))
  if (total(writes(calls)) > 0) throw new Error(`${when}, nothing differed, and it wrote: ${list(writes(calls))}`);
