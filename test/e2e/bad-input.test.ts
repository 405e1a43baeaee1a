import { chmodSync, existsSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { gzipSync } from "node:zlib";
import { beforeAll, describe, expect, it } from "vitest";
import { type Finished, plume, SHAPES_JOB, scratchFolder, tinyJob, train } from "../support/plume.ts";

const scratch = scratchFolder();
const out = scratch.file("out");

/** Says what it must in at most three lines, without a stack trace, and leaves no run folder. */
function expectMistake(result: Finished, code: number, ...words: (string | RegExp)[]): void {
  expect(result.code, result.stderr).toBe(code);
  for (const word of words) expect(result.stderr).toMatch(word);
  expect(result.stderr.trim().split("\n").length, result.stderr).toBeLessThanOrEqual(3);
  expect(result.stderr).not.toMatch(/^\s+at /m);
  expect(existsSync(out)).toBe(false);
}

const trainWith = (...set: string[]) =>
  plume("train", "-f", SHAPES_JOB, "--out", out, ...set.flatMap((pair) => ["--set", pair]));

describe("a mistake in the job file", () => {
  it("unknown field: names it and the nearest known one", async () => {
    expectMistake(await trainWith("training.stepz=3"), 2, "spec.training.stepz", "did you mean steps");
  });
  it("wrong type: names the field, the value and what is expected", async () => {
    expectMistake(await trainWith("training.steps=many"), 2, "spec.training.steps", '"many"', "expected integer");
  });
  it("microBatch that does not divide globalBatch: names both and a divisor", async () => {
    expectMistake(
      await trainWith("training.microBatch=12"),
      2,
      "spec.training.microBatch",
      "12 does not divide globalBatch 32",
      "8",
    );
  });
  it("YAML that does not parse: names line and column", async () => {
    const file = scratch.file("broken.yaml");
    writeFileSync(file, "metadata: { name: x\nspec: [");
    expectMistake(await plume("train", "-f", file, "--out", out), 2, /broken\.yaml:\d+:\d+/);
  });
  it("a job file that is not there", async () => {
    expectMistake(await plume("train", "-f", scratch.file("none.yaml"), "--out", out), 2, "none.yaml", "-f");
  });
  it("a data source of no known kind: names the kinds", async () => {
    expectMistake(await trainWith("data.source=floppy:a"), 2, 'data.source "floppy:a"', "fashion-mnist");
  });
  it("classes that the data set does not have", async () => {
    expectMistake(await trainWith("model.classes=7"), 2, "model.classes is 7", "10 classes");
  });
});

describe("an address for the page", () => {
  it("that another process has: names the field, the port and the way out, and leaves nothing behind", async () => {
    const other = createServer();
    await new Promise<void>((resolve) => other.listen(0, "127.0.0.1", resolve));
    const { port } = other.address() as { port: number };
    expectMistake(
      await trainWith(`monitoring.port=${port}`),
      2,
      `monitoring.port ${port} on 127.0.0.1: is taken`,
      "0 for a free one",
    );
    await new Promise((resolve) => other.close(resolve));
  });
  it("that is not this machine's", async () => {
    expectMistake(
      await trainWith("monitoring.host=192.0.2.1"),
      2,
      "192.0.2.1: is no address of this machine",
      "name an address",
    );
  });
});

describe("broken data", () => {
  it("a corrupt IDX file: names the file and what is wrong", async () => {
    const folder = scratch.file("idx");
    mkdirSync(folder);
    writeFileSync(
      `${folder}/train-images-idx3-ubyte.gz`,
      gzipSync(Buffer.from([0, 0, 8, 3, 0, 0, 0, 9, 0, 0, 0, 28, 0, 0, 0, 28, 1, 2, 3])),
    );
    writeFileSync(`${folder}/train-labels-idx1-ubyte`, Buffer.from([0, 0, 8, 1, 0, 0, 0, 0]));
    expectMistake(
      await trainWith(`data.source=idx:${folder}`),
      2,
      "train-images-idx3-ubyte.gz",
      "3 values",
      "download",
    );
  });
  it("a folder without images", async () => {
    const folder = scratch.file("empty");
    mkdirSync(folder);
    expectMistake(await trainWith(`data.source=images:${folder}`), 2, folder, "no PNG, JPEG or WebP");
  });
  it("a corrupt PNG, found while training: names the file, exits 1, and the run can go on when it is mended", async () => {
    const folder = scratch.file("pictures/a");
    mkdirSync(folder, { recursive: true });
    writeFileSync(`${folder}/bad.png`, Buffer.from("89504e470d0a1a0a0000", "hex"));
    const place = scratch.file("png-run");
    const args = [
      "--set",
      `data.source=images:${scratch.file("pictures")}`,
      "--set",
      "model.classes=1",
      "--max-restarts",
      "0",
    ];
    const result = await plume("train", "-f", SHAPES_JOB, "--out", place, "--workers", "1", ...args);
    expect(result.code, result.stderr).toBe(1);
    expect(result.stderr).toMatch(/bad\.png cannot be decoded/);
    expect(result.stderr).not.toMatch(/^\s+at /m);
  });
});

describe("a place that cannot be used", () => {
  it("an unwritable run folder", async () => {
    // Root may write anywhere: a file in the way stops it too.
    const file = scratch.file("in-the-way");
    writeFileSync(file, "");
    chmodSync(file, 0o400);
    const result = await plume("train", "-f", SHAPES_JOB, "--out", `${file}/run`);
    expectMistake(result, 2, "in-the-way", "--out");
  });
  it("a port in use", async () => {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const { port } = server.address() as { port: number };
    try {
      expectMistake(
        await plume("train", "-f", SHAPES_JOB, "--out", out, "--listen", `127.0.0.1:${port}`),
        2,
        `127.0.0.1:${port}`,
        "--listen",
      );
    } finally {
      server.close();
    }
  });
  it("an address that is none", async () => {
    expectMistake(
      await plume("train", "-f", SHAPES_JOB, "--out", out, "--listen", "nowhere"),
      2,
      "--listen nowhere",
      "HOST:PORT",
    );
  });
});

describe("a checkpoint that does not fit", () => {
  const run = scratch.file("trained");
  beforeAll(async () => {
    await train(tinyJob(scratch.path), run, "--steps", "2", "--set", "sampling.count=0");
  });

  it("sample: an unknown class names the classes and writes nothing", async () => {
    const picture = scratch.file("x.png");
    const result = await plume("sample", run, "--class", "teapot", "-o", picture);
    expectMistake(result, 2, "--class teapot", "0 disc");
    expect(existsSync(picture)).toBe(false);
  });
  it("sample: a folder that is no checkpoint", async () => {
    expectMistake(
      await plume("sample", scratch.file("nowhere"), "-o", scratch.file("x.png")),
      2,
      "nowhere",
      "no such folder",
    );
    expectMistake(await plume("sample", scratch.file("idx"), "-o", scratch.file("x.png")), 2, "idx", "no checkpoint");
  });
  it("resume: a checkpoint of another model names what differs, and leaves the run as it was", async () => {
    const before = readdirSync(`${run}/checkpoints`);
    const result = await plume(
      "train",
      "-f",
      tinyJob(scratch.path),
      "--out",
      run,
      "--steps",
      "4",
      "--set",
      "model.channels=12",
    );
    expectMistake(result, 2, "model", "--resume never");
    expect(readdirSync(`${run}/checkpoints`)).toEqual(before);
    expect(existsSync(`${run}/summary.json`)).toBe(true);
  });
  it("resume: a step that was never saved names those that were", async () => {
    expectMistake(
      await plume("train", "-f", tinyJob(scratch.path), "--out", run, "--steps", "4", "--resume", "1"),
      2,
      "step 1",
      "2",
    );
  });
  it("resume: fewer steps than are done", async () => {
    expectMistake(
      await plume("train", "-f", tinyJob(scratch.path), "--out", run, "--steps", "1"),
      2,
      "step 2",
      "--steps",
    );
  });
  it("says the same as JSON", async () => {
    const { code, stdout } = await plume("sample", run, "--class", "teapot", "-o", scratch.file("x.png"), "--json");
    expect(code).toBe(2);
    expect(JSON.parse(stdout)).toMatchObject({
      error: { code: "NOT_FOUND", message: expect.stringContaining("teapot") },
    });
  });
});

describe("a mistake in the command", () => {
  it.each([
    ["unknown command", ["trian"]],
    ["unknown option", ["train", "-f", SHAPES_JOB, "--wrokers", "2"]],
    ["a missing option", ["train"]],
    ["a number that is none", ["train", "-f", SHAPES_JOB, "--workers", "two"]],
  ])("%s exits 2 with a hint", async (_what, args) => {
    const { code, stderr } = await plume(...args);
    expect(code).toBe(2);
    expect(stderr).toMatch(/--help|for example|--workers/);
  });
});
