// npm run zoo: a system trained, measured and shown, and gone on with.

import { spawn } from "node:child_process";
import { readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, expect, it } from "vitest";
import { ROOT } from "../../shared/root.ts";
import { scratchFolder } from "../support/plume.ts";
import { type Finished, finished } from "../support/processes.ts";

const scratch = scratchFolder();

const zoo = (...args: string[]) =>
  finished(
    spawn(process.execPath, ["--import", "tsx", "deploy/zoo/main.ts", ...args], {
      cwd: ROOT,
      env: { ...process.env, PLUME_AUTO: "wasm" },
      stdio: ["ignore", "pipe", "pipe"],
    }),
  );

const out = scratch.file("zoo");
const short = ["training.steps=4", "sampling.steps=2", "sampling.count=10"].flatMap((field) => ["--set", field]);
const few = ["--seeds", "3", "--count", "100", "--sweep-count", "100", "--bits-count", "2"];
const args = ["--only", "ve", ...few, "--out", out, ...short];
const answer = join(out, "ve/seed-3/zoo/eval.json");
const rowsOf = ({ stdout }: Finished) => stdout.split("\n").filter((line) => line.startsWith("| "));

let first: Finished;
beforeAll(async () => {
  first = await zoo(...args);
  expect(first.code, first.stderr).toBe(0);
});

it("trains and measures a system, and writes its page and one of all", () => {
  expect(first.stdout).toMatch(/^\| ve \| 0\.\d{3} \| \d+\.\d \|/m);
  expect(first.stdout).toMatch(/^\| real test images \|/m);
  const page = readFileSync(join(out, "ve.html"), "utf8");
  expect(page).toContain("Variance-exploding SDE");
  expect(page).toMatch(/<img alt="samples of seed 3" src="data:image\/webp;base64,/);
  expect(page).toContain("final, step 4");
  expect(first.stdout).toMatch(
    /Bits a dimension:\n\n\|.*WebP.*\n.*\n\| ve \| \d+\.\d{3} \| [1-7]\.\d{3} \|.* 8\.000 \|$/m,
  );
  expect(page).not.toMatch(/(src|href)="(https?:)?\/\//);
  expect(readFileSync(join(out, "index.html"), "utf8")).toContain('<a href="ve.html">');
});

it("computes nothing twice", async () => {
  const made = statSync(answer).mtimeMs;
  const again = await zoo(...args);
  expect(again.code, again.stderr).toBe(0);
  expect(rowsOf(again)).toEqual(rowsOf(first));
  expect(statSync(answer).mtimeMs).toBe(made);
});

it("trains a model that a job names first, with the same seed, and draws what more of it does", async () => {
  const guided = await zoo("--only", "guided", ...few, "--out", out, ...short);
  expect(guided.code, guided.stderr).toBe(0);
  expect(guided.stderr.indexOf("classifier: training with seed 3")).toBeLessThan(
    guided.stderr.indexOf("guided: training with seed 3"),
  );
  expect(readFileSync(join(out, "guided/seed-3/job.yaml"), "utf8")).toContain("classifier/seed-3");
  const page = readFileSync(join(out, "guided.html"), "utf8");
  expect(page).toContain("Needs classifier as its classifier, trained with the same seed.");
  expect(page).toMatch(/<td class="n">16<\/td>/);
  expect(page.slice(page.indexOf("Classifier scale"))).toMatch(/<svg class="chart"[^>]*by classifier scale"/);
});

it("measures a model of 2015 in bits beside what is exact, and shows what it draws", async () => {
  const steps = ["diffusion.timesteps=20", "sampling.steps=20"].flatMap((field) => ["--set", field]);
  const { code, stdout, stderr } = await zoo("--only", "heartbeat", ...few, "--out", out, ...short, ...steps);
  expect(code, stderr).toBe(0);
  expect(stdout).toMatch(/^\| heartbeat \| -\d+\.\d{3} \| -2\.322 \| -20\.000 \|/m);
  expect(readFileSync(join(out, "heartbeat.html"), "utf8")).toMatch(/<img alt="samples of seed 3" src="data:image/);
});

it("puts claims of the article to the test, with runs of both families, on one page", async () => {
  const few = ["--claims", "saddle,settings,downstream", "--seeds", "3", "--set", "training.steps=4"];
  const { code, stdout, stderr } = await zoo("--only", "article", ...few, "--out", out);
  expect(code, stderr).toBe(0);
  expect(stdout).toContain("article.html");
  const page = readFileSync(join(out, "article.html"), "utf8");
  expect(page).toMatch(/GAN: loss, smoothed.*generator/s);
  for (const task of ["inpaint", "super-resolution", "image-to-image", "interpolate"])
    expect(page).toMatch(new RegExp(`<img alt="${task}" src="data:image/webp;base64,`));
  expect(page).not.toMatch(/(src|href)="(https?:)?\/\//);
});

it("refuses what it does not know, with exit code 2, before any work", async () => {
  expect(await zoo("--only", "nothing")).toMatchObject({
    code: 2,
    stderr: expect.stringContaining("--only nothing is no system"),
  });
  expect(await zoo("--lst")).toMatchObject({
    code: 2,
    stderr: expect.stringMatching(/^plume: Unknown option '--lst'/),
  });
  expect(await zoo("--count", "7")).toMatchObject({ code: 2, stderr: expect.stringContaining("--count 7 is not") });
  expect((await zoo("--list")).stdout).toMatch(/^edm +EDM \(deploy\/jobs\/edm\.yaml\)$/m);
});
