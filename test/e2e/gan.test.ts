// Two networks that play against each other, from the job file to what is measured of their pictures, as a user runs it.

import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ROOT } from "../../shared/root.ts";
import { linesOf, plume, scratchFolder, train } from "../support/plume.ts";

const GRID = join(ROOT, "deploy/jobs/gan-grid.yaml");
const SMALL = ["model.channels=16", "model.layers=2", "sampling.count=40", "checkpoint.everySteps=6"];
const set = (...fields: string[]) => fields.flatMap((field) => ["--set", field]);

const scratch = scratchFolder();
const run = scratch.file("grid");
let summary: Awaited<ReturnType<typeof train>>;
beforeAll(async () => {
  summary = await train(
    GRID,
    run,
    "--workers",
    "2",
    "--steps",
    "13",
    ...set(...SMALL, "adversarial.discriminatorSteps=2"),
  );
});
afterAll(() => scratch[Symbol.dispose]());

describe("a run of two networks", () => {
  it("has a line for every step, and samples on those of the discriminator alone", async () => {
    const lines = linesOf(join(run, "ledger.ndjson"));
    const ranges = lines.map((line) => (JSON.parse(line) as { ranges: number[][] }).ranges);
    expect(ranges.map(({ length }) => length)).toEqual([1, 1, 0, 1, 1, 0, 1, 1, 0, 1, 1, 0, 1]);
    expect(summary.samples).toBe(9 * 256);
    const { code, stdout } = await plume("audit", run, "--replay", "8", "--json");
    const audit = JSON.parse(stdout);
    expect(audit).toMatchObject({ ok: true, samples: 9 * 256, replay: { ok: true, from: 6, replayed: 2 } });
    expect(code).toBe(0);
  });

  it("says that a sample which a generator's step claims is none of it", async () => {
    using copy = scratchFolder();
    for (const name of ["job.yaml", "dataset.json"]) writeFileSync(copy.file(name), readFileSync(join(run, name)));
    const lines = linesOf(join(run, "ledger.ndjson")).slice(0, 3);
    const forged = { ...JSON.parse(lines[2]!), ranges: [[0, 512, 768]] };
    writeFileSync(copy.file("ledger.ndjson"), `${[...lines.slice(0, 2), JSON.stringify(forged)].join("\n")}\n`);
    const { code, stdout } = await plume("audit", copy.path);
    expect(code).toBe(1);
    expect(stdout).toContain("FAULT        step 2: 256 samples in a step of 0");
  });

  it("is measured by the modes that its points cover, beside real points and noise", async () => {
    const { code, stdout } = await plume("eval", run, "--seeds", "0", "--stages", "final", "--count", "500", "--json");
    expect(code).toBe(0);
    const { rows } = JSON.parse(stdout);
    const [own, real, noise] = rows;
    expect(own).toMatchObject({ kind: "generated", sampler: "generator", evaluations: 1 });
    expect(own.metrics.modes.mean).toBeLessThan(25);
    expect(real.metrics).toMatchObject({ modes: { mean: 25 } });
    expect(real.metrics.highQuality.mean).toBeGreaterThan(0.97);
    expect(noise.metrics.highQuality.mean).toBeLessThan(0.1);
  });

  it("draws the same points on one process as on three", async () => {
    const files = await Promise.all(
      ["1", "3"].map(async (workers) => {
        const file = scratch.file(`${workers}.npy`);
        await plume("sample", run, "--count", "30", "--workers", workers, "-o", file);
        return readFileSync(file).toString("hex");
      }),
    );
    expect(files[0]).toBe(files[1]);
  });

  it.each([
    [["sample", "--steps", "5", "-o", "x.png"], "draws by no steps of a process", "leave --steps out"],
    [["sample", "--guidance", "2", "-o", "x.png"], "mixes two predictions", "leave --guidance out"],
    [
      ["sample", "--sampler", "heun", "-o", "x.png"],
      "--sampler heun does not fit the model, a gan-mlp",
      "use one of generator",
    ],
    [["likelihood"], "a gan-mlp has no likelihood", "plume eval measures what this one draws"],
    [["sample", "--eta", "1", "-o", "x.png"], "--eta 1 is of steps", "leave --eta out"],
    [["eval", "--train-judges"], "draws points of the plane", "how many modes of the grid its points cover"],
    [["eval", "--bound"], "is a gan-mlp, of which --bound knows no likelihood", "nonequilibrium"],
  ])("refuses %j, with the remedy", async ([command, ...options], problem, remedy) => {
    const { code, stderr } = await plume(command!, run, ...options);
    expect(code).toBeGreaterThan(0);
    expect(stderr).toContain(problem);
    expect(stderr).toContain(remedy);
  });
});
