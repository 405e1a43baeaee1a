// One run, watched by a real Prometheus with plume's own configuration and rules, while things go wrong with it. The rules'
// minutes are seconds here, and scrapes come every second: nothing else of them is changed.

import { readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { DASHBOARDS } from "../../deploy/grafana/dashboards.ts";
import { METRICS } from "../../shared/metrics/table.ts";
import { freePort, pause } from "../support/processes.ts";
import { type PrometheusServer, startPrometheus } from "../support/prometheus-server.ts";
import { type ChaosJob, type ChaosRun, chaosJob, losses, nothingIsLeft, ready, startRun } from "./harness.ts";

const folder = fileURLToPath(new URL("../../deploy/prometheus/", import.meta.url));
const BATCH = 16;
/** A checkpoint that no store takes: every so many steps. */
const EVERY = 40;

const hastened = (text: string): string =>
  text
    .replaceAll(/\b(\d+)h\b/g, (_, n) => `${60 * Number(n)}s`)
    .replaceAll(/\b(30|15)s\b/g, "1s")
    .replaceAll(/\b(\d+)m\b/g, "$1s");

let job: ChaosJob & Disposable;
let run: ChaosRun;
let prometheus: PrometheusServer;
let port: number;
/** Everything that has fired, with what it said. */
const fired = new Map<string, Readonly<Record<string, string>>>();

beforeAll(async () => {
  port = await freePort();
  job = chaosJob({
    steps: 1_000_000,
    workers: "min: 2",
    extra: `  monitoring: { port: ${port} }`,
  });
  // Long enough for a silence to be one, no time for a store that fails, and a worker that is expelled stays away.
  const text = readFileSync(job.file, "utf8")
    .replace("deadlineSeconds: 2, replaceSeconds: 4", "deadlineSeconds: 7, replaceSeconds: 60")
    .replace("everySteps: 40", `everySteps: ${EVERY}, retrySeconds: 0`);
  writeFileSync(job.file, text);
  const read = (name: string) => hastened(readFileSync(join(folder, name), "utf8"));
  prometheus = await startPrometheus(read("prometheus.yml").replace(":9464", `:${port}`), {
    "recording.yml": read("recording.yml"),
    "alerts.yml": read("alerts.yml"),
  });
  run = startRun(job);
  await run.reaches(1);
});

afterAll(async () => {
  if (run?.cli.exitCode === null) run.cli.kill("SIGKILL");
  await prometheus?.[Symbol.asyncDispose]();
  job?.[Symbol.dispose]();
});

/** Polls until it holds; remembers what fires meanwhile. */
async function eventually<T>(what: string, look: () => Promise<T | null | false>, seconds = 60): Promise<T> {
  for (const end = Date.now() + seconds * 1000; ; await pause(200)) {
    for (const { labels, annotations, state } of await prometheus.alerts())
      if (state === "firing") fired.set(labels.alertname!, annotations);
    const seen = await look().catch(() => null);
    if (seen) return seen;
    if (Date.now() > end) throw new Error(`${what}: not within ${seconds} s; fired: ${[...fired.keys()].join(", ")}`);
  }
}

/** From now on, whatever fired before. */
async function fires(...names: string[]): Promise<void> {
  const heard = new Set<string>();
  await eventually(`firing of ${names.join(", ")}`, async () => {
    for (const { labels, state } of await prometheus.alerts()) if (state === "firing") heard.add(labels.alertname!);
    return names.every((name) => heard.has(name));
  });
}

const signal = (pid: number | null, name: NodeJS.Signals) => process.kill(pid!, name);

describe("a run that Prometheus scrapes", () => {
  it("is found with all its workers, and says what it is doing", async () => {
    await eventually("three targets", async () => (await prometheus.value("sum(up)")) === 3);
    const training = 'plume_job_condition{condition="Training"}';
    await eventually("training", async () => (await prometheus.value(training)) === 1);
    const up = await prometheus.query("up");
    expect(up.map(({ metric }) => metric.instance).sort()).toEqual([
      `${job.name}/coordinator`,
      `${job.name}/worker-0`,
      `${job.name}/worker-1`,
    ]);
    expect(await prometheus.query('{__name__=~".+", exported_training_job!=""}')).toEqual([]);
  });

  it("answers probes, and says why it is not ready", async () => {
    const answer = async (path: string) => (await fetch(`http://127.0.0.1:${port}${path}`)).status;
    expect([await answer("/healthz"), await answer("/readyz"), await answer("/nothing")]).toEqual([200, 200, 404]);
  });

  it("has as many series after workers were killed and came back as before", async () => {
    const series = async () => {
      const all = await prometheus.query('last_over_time({__name__=~"plume_.+"}[10m])');
      return all.map(({ metric }) => JSON.stringify(metric)).sort();
    };
    // What is none before its first time: a scale, a checkpoint, a block of each worker.
    await run.scale(3);
    await run.sees("three workers", ready(3));
    const connected = async () =>
      (await prometheus.query("plume_worker_tensors")).length === 3 &&
      (await prometheus.query("plume_worker_samples_total")).length === 3 &&
      (await prometheus.value("sum(plume_worker_connected)")) === 3;
    await eventually("three devices", connected);
    await eventually("a checkpoint", () => prometheus.value("plume_checkpoint_last_success_timestamp_seconds"));
    await eventually("the scale", () => prometheus.value("plume_last_scale_timestamp_seconds"));
    const before = await series();
    const alarm = fires("PlumeWorkerChurn");
    for (const round of [1, 2]) {
      for (const index of [0, 1, 2]) signal(run.worker(index), "SIGKILL");
      await run.sees("their successors", (status) => losses(status) === 3 * round && ready(3)(status));
      await eventually("they are scraped", connected);
      if (round === 1) await alarm;
    }
    const lost = 'plume_membership_changes_total{change="lost"}';
    await eventually("six losses", async () => (await prometheus.value(lost)) === 6);
    expect(await series()).toEqual(before);
  });

  it("alarms when its store fails", async () => {
    const store = join(run.out, "checkpoints");
    renameSync(store, `${store}.away`);
    writeFileSync(store, "a file where a folder was");
    await fires("PlumeCheckpointFailing", "PlumeCheckpointStale");
    rmSync(store);
    renameSync(`${store}.away`, store);
    const behind = "plume_step - plume_checkpoint_last_step";
    await eventually("a checkpoint", async () => (await prometheus.value(behind)) <= 2 * EVERY);
  });

  it("gives every panel of the dashboards its data", async () => {
    await run.scale(2);
    await run.sees("two are left", ready(2));
    await eventually("it trains", () => prometheus.value("plume_eta_seconds"));
    const names = new Set(METRICS.map(({ name }) => name));
    expect(DASHBOARDS.length).toBe(2);
    for (const { uid } of DASHBOARDS) {
      const text = readFileSync(fileURLToPath(new URL(`../../deploy/grafana/${uid}.json`, import.meta.url)), "utf8");
      for (const { title, expr } of questionsOf(JSON.parse(text))) {
        for (const [name] of expr.matchAll(/\bplume_\w+/g))
          expect(names, `${title}: ${name}`).toContain(name.replace(/_(bucket|sum|count)$/, ""));
        const series = await prometheus.query(asked(expr));
        if (/DCGM_|kube_/.test(expr)) expect(series, title).toEqual([]);
        else
          expect(
            series.some(({ samples }) => samples.some(([, value]) => Number.isFinite(value))),
            `${title}: ${expr}`,
          ).toBe(true);
      }
    }
  });

  it("has the samples of the ledger, and their rate", async () => {
    const committed = "plume_samples_committed_total";
    /** While the run rests Prometheus has what the ledger has. */
    const rest = () =>
      run.held(async () => {
        await run.sees("paused", ({ phase }) => phase === "Paused");
        const steps = run.steps();
        const [at] = await eventually("the pause is scraped", async () => {
          const [series] = await prometheus.query(`${committed}[3s]`);
          const last = series?.samples.at(-1);
          return last?.[1] === BATCH * steps ? last : null;
        });
        return { at, steps };
      });
    const before = await rest();
    await run.reaches(before.steps + 100);
    const after = await rest();
    expect(after.steps).toBeGreaterThanOrEqual(before.steps + 100);
    const seconds = after.at - before.at;
    const byLedger = (BATCH * (after.steps - before.steps)) / seconds;
    const byPrometheus = await prometheus.value(
      `rate(${committed}[${Math.round(1000 * seconds)}ms] @ ${after.at.toFixed(3)})`,
    );
    expect(Math.abs(byPrometheus / byLedger - 1)).toBeLessThan(0.01);
    expect(await prometheus.value("plume_samples_duplicate_total")).toBe(0);
    const byWorkers = "sum by (training_job) (plume_worker_samples_total)";
    expect(await prometheus.value(`${byWorkers} - on (training_job) ${committed}`)).toBe(0);
  });

  it("alarms when a worker is frozen and the others are too few", async () => {
    const frozen = run.worker(1);
    signal(frozen, "SIGSTOP");
    await fires("PlumeWorkerSilent", "PlumeWorkersBelowMin", "PlumeStalled");
    signal(frozen, "SIGCONT");
    await run.sees("it is back", ready(2));
  });

  it("alarms when its coordinator is frozen and killed, and counts on where the dead one stopped", async () => {
    const frozen = run.coordinatorPid();
    signal(frozen, "SIGSTOP");
    await fires("PlumeCoordinatorDown");
    signal(frozen, "SIGKILL");
    await fires("PlumeCoordinatorRestarted");
    const steps = run.steps();
    await run.reaches(steps + 30);
    await eventually("new steps are scraped", async () => (await prometheus.value("plume_step")) > steps);
    for (const counter of [
      "plume_samples_committed_total",
      'plume_steps_total{result="committed"}',
      "plume_time_seconds_total",
    ])
      expect(await prometheus.value(`max(resets(${counter}[10m]))`), counter).toBe(0);
    // What is of a process alone begins again, as counters do.
    expect(await prometheus.value("resets(plume_step_duration_seconds_count[10m])")).toBe(1);
    expect(await prometheus.value('increase(plume_time_seconds_total{state="recovering"}[10m])')).toBeGreaterThan(2);
  });

  it("has said in words what it alarmed about", () => {
    expect(fired.size).toBeGreaterThanOrEqual(8);
    for (const [name, { summary, description }] of fired) {
      expect(`${summary} ${description}`, name).not.toMatch(/<no value>|error calling|%!/);
      expect(summary, name).toMatch(new RegExp(`${job.name}|No coordinator`));
    }
  });

  it("ends when it is asked to, and takes its ports with it", async () => {
    await run.stop();
    const { code, stderr } = await run.finished;
    expect(code, stderr).toBe(0);
    await nothingIsLeft(run);
    await expect(fetch(`http://127.0.0.1:${port}/healthz`)).rejects.toThrow();
  });
});

interface Question {
  readonly title: string;
  readonly expr: string;
}

/** What a dashboard asks: its panels and its annotations. */
function questionsOf(dashboard: {
  panels: { title: string; targets?: { expr: string }[] }[];
  annotations: { list: { name: string; expr: string }[] };
}): Question[] {
  return [
    ...dashboard.panels.flatMap(({ title, targets = [] }) => targets.map(({ expr }) => ({ title, expr }))),
    ...dashboard.annotations.list.map(({ name, expr }) => ({ title: name, expr })),
  ];
}

/** With everything chosen, as Grafana would ask it of scrapes a second apart. */
const asked = (expr: string): string => expr.replaceAll("$__rate_interval", "2m").replaceAll(/\$\w+/g, ".+");
