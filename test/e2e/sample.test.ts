// plume sample with real processes that draw.

import { readFileSync } from "node:fs";
import { beforeAll, describe, expect, it } from "vitest";
import { plume, scratchFolder, startPlume, tinyJob, train, until } from "../support/plume.ts";
import { childrenOf, isDead } from "../support/processes.ts";

const scratch = scratchFolder();
const run = scratch.file("run");
beforeAll(() => train(tinyJob(scratch.path), run, "--set", "sampling.count=0"));

describe("plume sample", () => {
  it("draws the same pixels with any number of processes", async () => {
    const drawn = await Promise.all(
      ["1", "2", "3"].map(async (workers) => {
        const file = scratch.file(`${workers}.npy`);
        const { code, stdout, stderr } = await plume(
          "sample",
          run,
          "--count",
          "20",
          "--workers",
          workers,
          "-o",
          file,
          "--json",
        );
        expect(code, stderr).toBe(0);
        expect(JSON.parse(stdout)).toMatchObject({ count: 20, workers: Number(workers), backend: "wasm" });
        return readFileSync(file);
      }),
    );
    expect(drawn[1]!.equals(drawn[0]!)).toBe(true);
    expect(drawn[2]!.equals(drawn[0]!)).toBe(true);
  });

  it("walks the grid and thresholds as it is told, to other pictures, and says so", async () => {
    const drawn = async (...more: string[]) => {
      const file = scratch.file("manner.npy");
      const args = ["--count", "4", "--sampler", "dpmpp-2m", "--steps", "5", ...more];
      const { code, stdout, stderr } = await plume("sample", run, ...args, "-o", file, "--json");
      expect(code, stderr).toBe(0);
      return { told: JSON.parse(stdout), pixels: readFileSync(file) };
    };
    const plain = await drawn();
    const quadratic = await drawn("--grid", "time-quadratic");
    const dynamic = await drawn("--threshold", "dynamic", "--percentile", "90");
    expect(quadratic.told).toMatchObject({ grid: "time-quadratic" });
    expect(dynamic.told).toMatchObject({ threshold: "dynamic", percentile: 90 });
    for (const { pixels } of [quadratic, dynamic]) expect(pixels.equals(plain.pixels)).toBe(false);
    const refused = await plume("sample", run, "--sampler", "ddim", "--grid", "time", "-o", scratch.file("none.npy"));
    expect(refused).toMatchObject({ code: 2, stderr: expect.stringContaining("--grid time: ddim has levels") });
  });

  it("starts no more processes than there are batches", async () => {
    const { stdout } = await plume(
      "sample",
      run,
      "--count",
      "8",
      "--workers",
      "4",
      "-o",
      scratch.file("8.npy"),
      "--json",
    );
    expect(JSON.parse(stdout)).toMatchObject({ workers: 1 });
  });

  it("fails by name when a process that draws is killed, and leaves none behind when it is interrupted", async () => {
    const long = ["--count", "4000", "--steps", "1000", "--workers", "2"];
    const begin = async (name: string) => {
      const file = scratch.file(name);
      const { child, finished } = startPlume(["sample", run, ...long, "-o", file]);
      const drawers = () => childrenOf(child.pid!);
      await until("processes that draw", () => drawers().length === 2);
      return { child, finished, drawers };
    };
    const killed = await begin("killed.npy");
    process.kill(killed.drawers()[0]!.pid, "SIGKILL");
    expect(await killed.finished).toMatchObject({
      code: 1,
      stderr: expect.stringContaining("a process that draws images ended (SIGKILL)"),
    });
    const interrupted = await begin("interrupted.npy");
    const pids = interrupted.drawers().map(({ pid }) => pid);
    interrupted.child.kill("SIGINT");
    expect((await interrupted.finished).code).toBe(130);
    await until("their end", () => pids.every(isDead));
  });
});
