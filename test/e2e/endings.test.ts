// How runs end, in a real browser: the live page at the end of one that is complete and of one that fails, and the pages
// that `plume report` and `plume compare` make of both.

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { readRunLock } from "../../shared/run-lock/lock.ts";
import { confirm, openBrowser, violationsOf, type Watched, watchedPage } from "../support/browser.ts";
import { PICTURES, pictureFile, writeImageFolder } from "../support/pictures.ts";
import { linesOf, plume, type Running, scratchFolder, startPlume, tinyJob, until } from "../support/plume.ts";

const scratch = scratchFolder();
const job = tinyJob(scratch.path);
const complete = scratch.file("complete");
const failed = scratch.file("failed");
const runs: Running[] = [];
let browser: Browser;

beforeAll(async () => {
  browser = await openBrowser();
});

afterAll(async () => {
  await browser.close();
  for (const { child, finished } of runs) {
    child.kill("SIGKILL");
    await finished;
  }
  scratch[Symbol.dispose]();
});

async function watched(out: string, args: readonly string[]): Promise<Watched & { readonly run: Running }> {
  const run = startPlume(["train", "-f", job, "--out", out, "--workers", "1", ...args]);
  runs.push(run);
  await until("the page has an address", () => Boolean(readRunLock(out)?.record.url));
  const view = await watchedPage(browser);
  await view.page.goto(readRunLock(out)!.record.url);
  return { ...view, run };
}

const says = ({ page }: Watched, words: RegExp) =>
  expect.poll(() => page.textContent("#notice"), { timeout: 60_000 }).toMatch(words);

describe("the live page", () => {
  it("says that a run is complete, what its weights are, and what to do with them", async () => {
    const view = await watched(complete, ["--steps", "150"]);
    expect((await plume("ctl", "pause", complete)).code).toBe(0);
    await expect.poll(() => view.page.textContent("#phase"), { timeout: 60_000 }).toMatch(/Paused/);
    await confirm(view.page, "Resume");
    await says(
      view,
      /The run is complete: 150 steps in .*sha256 [0-9a-f]{16}….*plume sample .*plume export|plume audit/,
    );
    await expect.poll(() => view.page.textContent("#link")).toContain("the run is over");
    expect((await view.run.finished).code).toBe(0);
    expect(await violationsOf(view.page)).toEqual([]);
    expect(view.errors).toEqual([]);
  });

  it("says that a run failed, why, and how it goes on", async () => {
    const folder = await writeImageFolder(scratch.file("images"));
    const view = await watched(failed, [
      ...["--steps", "100000", "--set", `data.source=images:${folder}`, "--set", "model.classes=3"],
    ]);
    await until("it trains", () => linesOf(join(failed, "metrics.ndjson")).length > 5);
    for (const k of PICTURES) writeFileSync(join(folder, pictureFile(k)), "no picture any more");
    await says(view, /The run failed: .*\.png.*goes on from the newest checkpoint/);
    expect((await view.run.finished).code).toBe(1);
    expect(await violationsOf(view.page)).toEqual([]);
    expect(view.errors).toEqual([]);
  });
});

describe("a page that is kept", () => {
  it.each([
    ["report of a complete run", () => plume("report", complete), complete, /complete/],
    ["report of a run that failed", () => plume("report", failed), failed, /no picture|cannot be decoded|\.png/],
    ["comparison", () => plume("compare", complete, failed, "-o", join(complete, "report.html")), complete, /differ/],
  ] as const)("%s: is whole without a network, in light and dark, wide and narrow", async (_, make, folder, words) => {
    expect((await make()).code).toBe(0);
    const address = pathToFileURL(join(folder, "report.html")).href;
    const { page, errors, requests } = await watchedPage(browser);
    await page.goto(address);
    expect(await page.textContent("body")).toMatch(words);
    for (const colorScheme of ["light", "dark"] as const) {
      await page.emulateMedia({ colorScheme });
      expect(await violationsOf(page), colorScheme).toEqual([]);
    }
    await page.setViewportSize({ width: 390, height: 900 });
    await expect.poll(() => page.evaluate("document.documentElement.scrollWidth")).toBe(390);
    expect(requests.filter((each) => each !== address && !each.startsWith("data:"))).toEqual([]);
    expect(errors).toEqual([]);
  });
});
