// The live page of a real run in a real browser: it loads, moves, acts, survives the coordinator's death, and ends.

import { readdirSync, readFileSync } from "node:fs";
import { getPriority } from "node:os";
import { join } from "node:path";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { readRunLock } from "../../shared/run-lock/lock.ts";
import { confirm, openBrowser, violationsOf, type Watched, watchedPage } from "../support/browser.ts";
import {
  linesOf,
  plume,
  type Running,
  scratchFolder,
  startPlume,
  tinyJob,
  until,
  workerPid,
} from "../support/plume.ts";
import { processesOf } from "../support/processes.ts";

const TOKEN = "a-token-that-is-in-no-file-0123456789";

const scratch = scratchFolder();
const out = scratch.file("run");
let run: Running;
let url: string;
let browser: Browser;
let watched: Watched;
let page: Page;

beforeAll(async () => {
  const job = tinyJob(
    scratch.path,
    `  workers: { min: 1, max: 4 }
  checkpoint: { everySteps: 1000000 }
  monitoring: { token: ${TOKEN} }
`,
  );
  run = startPlume(["train", "-f", job, "--out", out, "--steps", "1000000", "--set", "sampling.everySteps=25"]);
  browser = await openBrowser();
  await until("the page has an address", () => Boolean(readRunLock(out)?.record.url));
  url = readRunLock(out)!.record.url;
  watched = await watchedPage(browser);
  page = watched.page;
});

afterAll(async () => {
  await browser.close();
  run.child.kill("SIGTERM");
  await run.finished;
  scratch[Symbol.dispose]();
});

const step = async () =>
  Number((await page.textContent("#progress-text"))!.replaceAll(",", "").match(/step (\d+)/)?.[1]);
const phase = () => page.locator("#phase");
const stepPasses = async (n: number) => {
  await expect.poll(step, { timeout: 60_000 }).toBeGreaterThan(n);
};
const says = (selector: string, words: string | RegExp) =>
  expect.poll(() => page.textContent(selector), { timeout: 60_000 }).toMatch(words);
/** Nothing of a folder, nor of a snapshot that has gone since it was listed. */
function contentsOf(file: string): Buffer {
  try {
    return readFileSync(file);
  } catch {
    return Buffer.alloc(0);
  }
}
const violations = () => violationsOf(page);
const drawing = () => processesOf(out).filter(({ args }) => args.includes("serve"));

describe("the live page", () => {
  it("asks for the token, refuses a wrong one, and shows the run with the right one without keeping it in the address", async () => {
    await page.goto(`${url}/#token=not-the-token-of-this-run`);
    await says("#dialog", /That was not its token/);
    await page.fill("#dialog input", TOKEN);
    await page.keyboard.press("Enter");
    await says("#link", "live");
    await page.goto(`${url}/#token=${TOKEN}`);
    await page.reload();
    await says("#link", "live");
    expect(page.url()).not.toContain(TOKEN);
    await says("#job", "tiny");
    await says("#phase", /Training|Sampling/);
  });

  it("moves with the run: steps, figures, curve, workers, who computed what, and the growing samples", async () => {
    await page.evaluate("window.mark = 'not loaded again'");
    await stepPasses((await step()) + 3);
    await says("#figures", /Loss\d/);
    await says("#loss-value", /loss \d.*smoothed \d/);
    await says("#lanes", /worker-0.*worker-1/);
    await says("#blocks-value", /step \d+: .*worker-[01]/);
    await expect
      .poll(() => page.locator("#samples img").getAttribute("alt"), { timeout: 60_000 })
      .toMatch(/Sample grid of step \d+/);
    await says("#sample-value", /of ([2-9]|\d\d)\)/);
    await page.getByRole("button", { name: "Earlier samples" }).click();
    const earlier = await page.locator("#samples img").getAttribute("alt");
    await page.getByRole("slider", { name: "Step of the samples" }).press("Home");
    await expect.poll(() => page.locator("#samples img").getAttribute("alt")).toBe("Sample grid of step 25");
    expect(earlier).not.toBe("");
    expect(await page.evaluate("document.querySelector('#samples img').naturalWidth")).toBeGreaterThan(50);
  });

  it("zooms by dragging and by keys, smooths, and shows everything again", async () => {
    const shown = async () =>
      (await page.getAttribute("#loss", "aria-label"))!
        .match(/steps (\d+) to (\d+)/)!
        .slice(1)
        .map(Number) as [number, number];
    await page.locator("#loss .u-over").scrollIntoViewIfNeeded();
    const box = (await page.locator("#loss .u-over").boundingBox())!;
    await page.mouse.move(box.x + box.width * 0.2, box.y + 40);
    await page.mouse.down();
    await page.mouse.move(box.x + box.width * 0.6, box.y + 60, { steps: 4 });
    await page.mouse.up();
    await expect.poll(async () => (await shown())[0]).toBeGreaterThan(0);
    const [from, to] = await shown();
    expect(to - from).toBeLessThan(await step());
    for (const chart of ["#grad", "#lr", "#throughput"])
      expect(await page.getAttribute(chart, "aria-label")).toContain(`steps ${from} to ${to}`);
    await page.focus("#loss");
    await page.keyboard.press("-");
    await page.keyboard.press("-");
    await page.keyboard.press("-");
    await expect.poll(async () => (await shown())[0]).toBe(0);
    await page.keyboard.press("+");
    await expect.poll(async () => (await shown())[1] - (await shown())[0]).toBeLessThan(await step());
    await page.keyboard.press("0");
    await expect
      .poll(() => page.getByRole("button", { name: "all" }).first().getAttribute("aria-pressed"))
      .toBe("true");
    // The first step that is shown: until all of them have come, that of the zoomed curve.
    const first = async () => {
      await page.keyboard.press("Home");
      return page.textContent("#loss-value");
    };
    await expect.poll(first, { timeout: 60_000 }).toMatch(/^step 0: /);
    await page.mouse.move(5, 5);
    const smooth = page.getByRole("slider", { name: "smoothing" });
    await smooth.fill("0");
    await expect.poll(() => page.textContent("#loss-value")).not.toContain("smoothed");
    await smooth.fill("0.95");
    await says("#loss-value", /smoothed/);
  });

  it("can be used by keys alone: everything that acts is reached, and a dialog gives the focus back", async () => {
    await page.evaluate("document.activeElement.blur(); window.scrollTo(0, 0)");
    const reached: string[] = [];
    for (let i = 0; i < 60; i++) {
      await page.keyboard.press("Tab");
      reached.push(
        (await page.evaluate(
          "document.activeElement.getAttribute('aria-label') || document.activeElement.textContent || document.activeElement.id",
        )) as string,
      );
    }
    for (const name of ["Skip to the charts", "Pause", "Checkpoint", "Scale", "Stop", "last 100", "Later samples"])
      expect(reached).toContain(name);
    await page.getByRole("button", { name: "Scale", exact: true }).focus();
    await page.keyboard.press("Enter");
    await expect(page.locator("dialog").isVisible()).resolves.toBe(true);
    expect(await page.evaluate("document.activeElement.id")).toBe("asked");
    await page.keyboard.press("Escape");
    expect(await page.evaluate("document.activeElement.textContent")).toBe("Scale");
  });

  it("scales once it is confirmed, and shows the third worker", async () => {
    await page.getByRole("button", { name: "Scale", exact: true }).click();
    await page.fill("#asked", "3");
    await page.keyboard.press("Enter");
    await says("#toasts", "From 2 to 3 workers.");
    await says("#lanes", /worker-2ready/);
    await says("#events", /scaledfrom 2 to 3 workers/);
    await says("#events", /scaleby HTTP: done/);
  });

  it("says what is wrong with a command, and what to do", async () => {
    await page.getByRole("button", { name: "Scale", exact: true }).click();
    await page.evaluate("document.getElementById('asked').removeAttribute('max')");
    await page.fill("#asked", "9");
    await page.keyboard.press("Enter");
    await says("#toasts", /9 workers are too many.*choose 1 to 4/);
    await page.getByRole("button", { name: "Dismiss" }).last().click();
  });

  it("pauses only when it is confirmed, stays where it is, and resumes", async () => {
    await confirm(page, "Pause", "Cancel");
    await stepPasses(await step());
    await confirm(page, "Pause");
    await expect.poll(() => phase().textContent()).toBe("Paused");
    expect(await page.textContent("#reason")).toContain("asked to pause (HTTP)");
    const at = linesOf(`${out}/ledger.ndjson`).length;
    await expect.poll(step, { timeout: 60_000 }).toBe(at); // the page hears of steps some at once
    await confirm(page, "Checkpoint");
    await says("#toasts", `The checkpoint of step ${at} is written.`);
    await says("#checkpoints tbody", String(at));
    expect(await step()).toBe(at);
  });

  it("draws from the newest checkpoint by a process that gives way to the others, begun when it is asked for", async () => {
    expect(drawing()).toEqual([]);
    await page.getByRole("button", { name: "Draw from the newest checkpoint" }).click();
    await page.getByLabel("class", { exact: true }).waitFor();
    await page.getByLabel("class", { exact: true }).selectOption("ring");
    await page.getByLabel("images", { exact: true }).fill("2");
    await page.getByRole("button", { name: "Generate", exact: true }).click();
    const images = page.locator(".result img");
    await expect.poll(() => images.count(), { timeout: 60_000 }).toBe(2);
    expect(await images.first().getAttribute("alt")).toBe("Image 0 of seed 0: ring");
    await says(".result .readout", `weights of step ${(await step()).toLocaleString("en")} `);
    expect(drawing().map(({ pid }) => getPriority(pid))).toEqual([19]);
    expect(await violations()).toEqual([]);
    const at = await step();
    await confirm(page, "Resume");
    await stepPasses(at);
  });

  it("shows the kinds of events that are asked for", async () => {
    await page.getByLabel("workers", { exact: true }).uncheck();
    await expect.poll(() => page.textContent("#events")).not.toContain("joined");
    await page.getByLabel("workers", { exact: true }).check();
    await says("#events", /worker-0 joined/);
  });

  it("shows the loss of a worker, and its return", async () => {
    process.kill(workerPid(out, 1)!, "SIGKILL");
    await says("#events", /worker-1 lost/);
    await expect.poll(() => page.locator(".lane b.lost").count()).toBe(1);
    await says("#lanes", /worker-1ready/);
  });

  it("says that the connection is lost when the coordinator is killed, and goes on by itself with all that it missed", async () => {
    const before = await step();
    process.kill(readRunLock(out)!.record.pid, "SIGKILL");
    await says("#link", /connection lost/);
    await says("#notice", /connection to the coordinator is lost/);
    expect(await page.getByRole("button", { name: "Stop", exact: true }).isDisabled()).toBe(true);
    await says("#link", "live");
    await says("#spec-value", "incarnation 2");
    await says("#events", /recoveredcoordinator/);
    await stepPasses(before);
    expect(readRunLock(out)!.record.url).toBe(url);
    await until("the end of the process that drew", () => drawing().length === 0);
    expect(await page.evaluate("window.mark")).toBe("not loaded again");
    await expect.poll(() => page.locator("#notice").isHidden()).toBe(true);
    const told = await page
      .locator("#events tr")
      .evaluateAll((rows: { textContent: string }[]) => rows.map(({ textContent }) => textContent));
    expect(told.filter((words) => words.includes("scaledfrom 2 to 3")).length).toBe(1);
  });

  it.each(["light", "dark"] as const)("has no fault that axe-core finds, %s", async (colorScheme) => {
    await page.emulateMedia({ colorScheme });
    await expect.poll(() => page.getAttribute("html", "data-theme")).toBe(colorScheme);
    await page.locator("details summary").click();
    expect(await violations()).toEqual([]);
    if (colorScheme === "light") return;
    await page.getByRole("button", { name: "Stop", exact: true }).click();
    expect(await violations()).toEqual([]);
    await page.keyboard.press("Escape");
  });

  it.each([1024, 390])("fits a window of %i pixels without a sideways scroll", async (width) => {
    await page.setViewportSize({ width, height: 900 });
    await expect.poll(() => page.evaluate("document.documentElement.scrollWidth")).toBe(width);
    if (width === 390) expect(await violations()).toEqual([]);
    await page.setViewportSize({ width: 1440, height: 1000 });
  });

  it("asked nobody but its own server, and met no error", () => {
    const elsewhere = watched.requests.filter((each) => !each.startsWith(`${url}/`) && !each.startsWith("blob:"));
    expect(elsewhere).toEqual([]);
    // The wrong token of the beginning, nine workers, and a coordinator that starts again and has no routes yet.
    expect(watched.errors.filter((error) => !/status of (401|409|503)/.test(error))).toEqual([]);
  });

  it("leaves the token nowhere: no file of the run, no other process, nothing that was printed", async () => {
    const files = readdirSync(out, { recursive: true }).map((name) => join(out, String(name)));
    expect(files.some((file) => file.endsWith("manifest.json"))).toBe(true);
    for (const file of files) expect(contentsOf(file).includes(TOKEN), file).toBe(false);
    const others = processesOf(out).filter(({ args }) => args.some((arg) => arg.includes("worker")));
    expect(others.length).toBeGreaterThanOrEqual(3);
    for (const { pid, args } of others) {
      expect(args.join(" ")).not.toContain(TOKEN);
      expect(readFileSync(`/proc/${pid}/environ`, "utf8")).not.toContain(TOKEN);
    }
    const answer = await fetch(`${url}/api/run`, { headers: { authorization: `Bearer ${TOKEN}` } });
    expect(await answer.text()).not.toContain(TOKEN);
    expect((await plume("ctl", "status", out)).stdout).toContain(url);
  });

  it("stops the run when it is confirmed, says how it ended and what to do next", async () => {
    await confirm(page, "Stop");
    await says("#notice", /The run was stopped: .*plume train -f .*goes on at step/);
    await says("#link", "the run is over");
    const { code, stdout, stderr } = await run.finished;
    expect([code, stdout + stderr]).toEqual([0, expect.not.stringContaining(TOKEN)]);
    expect(stdout).toContain(`watch it at ${url}`);
    expect(await violations()).toEqual([]);
  });
});
