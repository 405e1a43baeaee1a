// An hour of operation in less than a minute: one run, started from its job file and steered over NATS, which loses its NATS
// server and a worker on the way. What was done is to be seen in every place where people look, and in the bits not at all.

import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { readEvents } from "../../shared/bus/event-log.ts";
import { readRunLock } from "../../shared/run-lock/lock.ts";
import { openBrowser, watchedPage } from "../support/browser.ts";
import { plume } from "../support/plume.ts";
import { pause } from "../support/processes.ts";
import { useNatsServer } from "../support/use-nats-server.ts";
import { type ChaosJob, type ChaosRun, calmRun, chaosJob, losses, ready, startRun } from "./harness.ts";

/** Seconds without NATS. */
const OUTAGE = 20;
/** Time for commands that a user types, each in a process of its own. */
const STEPS = 400;

const nats = useNatsServer();
let job: ChaosJob & Disposable;
let run: ChaosRun;
let browser: Browser;
let page: Page;
let url: string;
/** The page's own errors. */
let errors: readonly string[];

beforeAll(async () => {
  job = chaosJob({ steps: STEPS });
  writeFileSync(job.file, `${readFileSync(job.file, "utf8")}  nats: { servers: ["${nats().url}"] }\n`);
  run = startRun(job);
  await run.reaches(1);
  url = readRunLock(run.out)!.record.url;
  browser = await openBrowser();
  const watched = await watchedPage(browser);
  ({ page, errors } = watched);
  await page.goto(url);
});

afterAll(async () => {
  await browser?.close();
  if (run?.cli.exitCode === null) run.cli.kill("SIGKILL");
  job?.[Symbol.dispose]();
});

/** By `plume ctl` as a user types it. @returns its document. */
const overNats = async (...words: string[]) => {
  const { code, stdout, stderr } = await plume("ctl", ...words, "--nats", nats().url, "--job", job.name, "--json");
  expect(code, `${words.join(" ")}\n${stdout}${stderr}`).toBe(0);
  return JSON.parse(stdout);
};
/** @param label of the series, where the metric has several. */
const metric = async (name: string, label = ""): Promise<number> => {
  const text = await (await fetch(`${url}/metrics`)).text();
  const line = text.split("\n").find((each) => each.startsWith(`${name}{`) && each.includes(label));
  return Number(line?.split(" ").at(-1));
};
const condition = (phase: string) => metric("plume_job_condition", `condition="${phase}"`);
const shows = (selector: string, words: string | RegExp) =>
  expect.poll(() => page.textContent(selector), { timeout: 20_000 }).toMatch(words);
const kept = () => readEvents(join(run.out, "events.ndjson"));
const kinds = () => kept().map(({ event }) => event.kind);

describe("an hour of operation", () => {
  it("is paused over NATS, which page, metrics and events show", async () => {
    expect(await overNats("pause")).toEqual({ alreadyPaused: false });
    await run.sees("the pause", ({ phase }) => phase === "Paused");
    expect(await condition("Paused")).toBe(1);
    await shows("#phase", "Paused");
    expect(kept().some(({ event }) => event.kind === "command" && event.verb === "pause")).toBe(true);
  });

  it("keeps a checkpoint when it is told to", async () => {
    const { step } = await overNats("checkpoint");
    expect(step).toBe(run.steps());
    expect(await metric("plume_checkpoint_last_step")).toBe(step);
    expect(kept().some(({ event }) => event.kind === "checkpoint" && event.step === step)).toBe(true);
  });

  it("goes on, and trains with three workers instead of two", async () => {
    expect(await overNats("resume")).toEqual({ wasPaused: true });
    expect(await overNats("scale", "3")).toEqual({ before: 2, replicas: 3 });
    await run.held(() => run.sees("three workers", ready(3)));
    expect(await metric("plume_workers_desired")).toBe(3);
    await shows("#lanes", /worker-2/);
  });

  it("trains on while NATS is dead, and has told all of it once NATS is back", async () => {
    await nats().kill();
    const died = Date.now();
    const before = run.steps();
    await run.reaches(before + 10);
    await run.held(async () => {
      await pause(Math.max(0, OUTAGE * 1000 - (Date.now() - died)));
      await nats().restart();
      expect(await overNats("status")).toMatchObject({ job: job.name, phase: "Paused" });
    });
  });

  it("loses a worker, and recovers", async () => {
    await run.held(async () => {
      process.kill(run.worker(0)!, "SIGKILL");
      await run.sees("the loss", (status) => losses(status) === 1);
      await run.sees("its return", ready(3));
    });
    await expect.poll(() => kinds().includes("recovered"), { timeout: 20_000 }).toBe(true);
    expect(await metric("plume_recovery_duration_seconds_count", 'kind="worker"')).toBe(1);
    await shows("#events", /worker-0/);
  });

  it("ends with the bits of a run to which nothing happened", async () => {
    const committed = await metric("plume_samples_committed_total");
    expect(committed % 16).toBe(0);
    expect(await metric("plume_samples_duplicate_total")).toBe(0);
    using undisturbed = chaosJob({ steps: STEPS });
    await run.endsLike(await calmRun(undisturbed));
    await shows("#phase", "Complete");
    expect(errors).toEqual([]);
  });

  it("is told whole by its events, over NATS and in the run's folder, and by its report", async () => {
    const { stdout } = await plume("ctl", "events", "--nats", nats().url, "--job", job.name, "--json");
    expect(
      stdout
        .split("\n")
        .filter(Boolean)
        .map((line) => JSON.parse(line)),
    ).toEqual(kept());
    for (const kind of ["phase", "worker", "command", "scale", "checkpoint", "recovered", "end"])
      expect(kinds()).toContain(kind);
    const file = join(job.folder, "report.html");
    const report = await plume("report", run.out, "-o", file);
    expect(report.code, report.stderr).toBe(0);
    const html = readFileSync(file, "utf8");
    for (const words of ["Complete", "worker-0", "worker-2", "3 workers"]) expect(html).toContain(words);
  });
});
