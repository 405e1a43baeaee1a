// Each system of deploy/jobs, a few steps of its own job: the same weights and the same pictures from 1 and from 3 workers.

import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { ROOT } from "../../shared/root.ts";
import { scratchFolder, train } from "../support/plume.ts";

/** Needs data that other tests have installed, and minutes a run. */
const ELSEWHERE = ["fashion.yaml"];

const jobs = readdirSync(join(ROOT, "deploy/jobs")).filter((file) => !ELSEWHERE.includes(file));

const SHORT = ["--steps", "3", "--set", "sampling.steps=4", "--set", "sampling.count=10"];
/** Those whose steps are all taken. */
const CHAINS = ["heartbeat.yaml", "thermo-swiss-roll.yaml"];
const shortened = (file: string) => [...SHORT, ...(CHAINS.includes(file) ? ["--set", "diffusion.timesteps=4"] : [])];

describe("the same bits at 1 and 3 workers", () => {
  it.each(jobs)("of %s", async (file) => {
    using scratch = scratchFolder();
    const [one, three] = await Promise.all(
      ["1", "3"].map(async (workers) => {
        const out = scratch.file(workers);
        const { weightsSha256, emaSha256 } = await train(
          join(ROOT, "deploy/jobs", file),
          out,
          "--workers",
          workers,
          ...shortened(file),
        );
        const grids = readdirSync(join(out, "samples")).map((name) =>
          createHash("sha256")
            .update(readFileSync(join(out, "samples", name)))
            .digest("hex"),
        );
        return { weightsSha256, emaSha256, grids };
      }),
    );
    expect(one!.grids.length).toBeGreaterThan(0);
    expect(three).toEqual(one);
  });
});
