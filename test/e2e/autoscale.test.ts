// A run whose deadline has passed, and somebody who follows plume_desired_workers, as KEDA would in a cluster: it grows as far
// as its micro-batches go, and ends in the bits of a run that never grew.

import { join } from "node:path";
import { expect, it } from "vitest";
import { readSummary } from "../../shared/summary.ts";
import { linesOf, plume, scratchFolder, startPlume, tinyJob, train } from "../support/plume.ts";

const SLOW = { timeout: 120_000, interval: 100 };

/** What a scraper reads of the gauge, and where; null before there is one. */
async function wished(out: string): Promise<{ readonly workers: number; readonly labels: string } | null> {
  const lock = linesOf(join(out, "coordinator.json")).join("");
  const page = lock && (JSON.parse(lock) as { url?: string }).url;
  const text =
    page &&
    (await fetch(`${page}/metrics`).then(
      (answer) => answer.text(),
      () => "",
    ));
  const line = text && /^plume_desired_workers\{(.*)\} (\d+)$/m.exec(text);
  return line ? { workers: Number(line[2]), labels: line[1]! } : null;
}

/** Workers that took part in each step so far. */
const sizesIn = (out: string): number[] =>
  linesOf(join(out, "metrics.ndjson")).map((line) => (JSON.parse(line) as { workers: number }).workers);

it("grows to the size that its deadline asks for, by whoever reads the gauge, to the bits of a fixed size", async () => {
  using scratch = scratchFolder();
  const job = tinyJob(
    scratch.path,
    `  workers: { replicas: 1, min: 1, max: 6, autoscale: { deadline: "2020-01-01T00:00:00Z" } }\n`,
  );
  const out = scratch.file("grows");
  const run = startPlume(["train", "-f", job, "--out", out, "--steps", "100000"]);
  let asked = 1;
  const followed: number[] = [];
  await expect
    .poll(async () => {
      const wish = await wished(out);
      if (wish && wish.workers !== asked) {
        expect(wish.labels).toBe('training_job="tiny",component="coordinator"');
        asked = wish.workers;
        followed.push(asked);
        expect(await plume("ctl", "scale", `${asked}`, out)).toMatchObject({ code: 0 });
      }
      return sizesIn(out).filter((workers) => workers === 4).length;
    }, SLOW)
    .toBeGreaterThan(3);
  expect(sizesIn(out)[0]).toBe(1);
  expect(followed).toEqual([4]); // a step has four micro-batches: of six workers two would find nothing to do
  // Which size is the fastest one is a matter of what was measured, on two cores even one worker; the wish is not.
  expect((await plume("ctl", "status", out)).stdout).toMatch(
    /6 allowed; the job would like 4: [1-4] workers need .* no number of workers is faster/,
  );
  expect(await plume("ctl", "stop", out)).toMatchObject({ code: 0 });
  expect((await run.finished).code).toBe(0);

  const { steps, weightsSha256, emaSha256 } = readSummary(join(out, "summary.json"));
  const fixed = await train(job, scratch.file("fixed"), "--steps", `${steps}`, "--workers", "2");
  expect(fixed).toMatchObject({ steps, weightsSha256, emaSha256 });
}, 240_000);
