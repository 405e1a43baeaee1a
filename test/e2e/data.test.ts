// Data from shards and stores, in runs of real processes: the bits of the same images in a folder, whatever is read from
// where, and whatever becomes of the cache.

import { existsSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { PARQUET, PICTURES, upload, writeImageFolder, writeShards } from "../support/pictures.ts";
import { linesOf, plume, scratchFolder, startPlume, train, until } from "../support/plume.ts";
import { withEnvironment } from "../support/s3-server.ts";
import { useS3Server } from "../support/use-s3-server.ts";

const s3 = useS3Server();

function pictureJob(folder: string, source: string, data = ""): string {
  const file = join(folder, "pictures.yaml");
  writeFileSync(
    file,
    `metadata: { name: pictures }
spec:
  data: { source: "${source}", imageSize: 8, patch: 2, cacheDir: "${join(folder, "cache")}"${data} }
  model: { channels: 8, channelMult: [1, 2], groups: 4, classes: 3 }
  training: { steps: 12, globalBatch: 16, microBatch: 4, optimizer: { lr: 2.0e-3 }, ema: 0.9 }
  sampling: { count: 0 }
`,
  );
  return file;
}

const setup = scratchFolder();
let wanted = "";

beforeAll(async () => {
  await writeImageFolder(setup.file("images"));
  await writeShards(setup.file("shards"));
  await upload(s3(), setup.file("images"), "images");
  await upload(s3(), setup.file("shards"), "shards");
  await upload(s3(), join(PARQUET, "set"), "parquet");
  using scratch = scratchFolder();
  const job = pictureJob(scratch.path, `images:${setup.file("images")}`);
  wanted = (await train(job, scratch.file("run"), "--workers", "1")).weightsSha256;
  return () => setup[Symbol.dispose]();
});

describe("the weights of a folder of images come out", () => {
  it.each([
    ["of its shards, with 1 worker", () => `wds:file://${setup.file("shards")}/`, "1"],
    ["of its shards, with 2 workers", () => `wds:${setup.file("shards")}/shard-{000000..000002}.tar`, "2"],
    ["of its parquet files, with 2 workers", () => `parquet:${join(PARQUET, "set")}`, "2"],
    ["of its images in S3, with 2 workers", () => "s3://plume-test/images/", "2"],
    ["of its shards in S3, with 2 workers", () => "wds:s3://plume-test/shards/", "2"],
    ["of its parquet files in S3, with 2 workers", () => "parquet:s3://plume-test/parquet/", "2"],
  ])("%s", async (_, source, workers) => {
    using scratch = scratchFolder();
    using _environment = withEnvironment(s3().env);
    const job = pictureJob(scratch.path, source());
    const summary = await train(job, scratch.file("run"), "--workers", workers);
    expect(summary.weightsSha256).toBe(wanted);
    expect(await plume("audit", scratch.file("run"))).toMatchObject({ code: 0 });
    expect(existsSync(scratch.file("run", "data-index.bin"))).toBe(true);
  });

  it("while the cache is deleted and the S3 server killed in mid-run, with spec.store alone to find it", async () => {
    using scratch = scratchFolder();
    const { AWS_ENDPOINT_URL_S3: endpoint, ...keys } = s3().env;
    const job = pictureJob(scratch.path, "wds:s3://plume-test/shards/");
    const out = scratch.file("run");
    // Each step waits for the one before: between them the cache goes, again and again.
    const args = ["train", "-f", job, "--out", out, "--workers", "2", "--set", `store.endpoint=${endpoint}`];
    const run = startPlume(args, { env: { ...keys, AWS_ENDPOINT_URL_S3: "" } });
    const cache = scratch.file("cache");
    let removed = 0;
    for (const step of [1, 4, 8]) {
      await until(`step ${step}`, () => linesOf(join(out, "ledger.ndjson")).length >= step);
      if (existsSync(cache)) {
        // Away in one act: a folder that workers write into meanwhile is never empty long enough for rmdir.
        renameSync(cache, scratch.file(`gone-${step}`));
        removed++;
      }
      if (step !== 4) continue;
      await s3().kill();
      await s3().restart();
    }
    const { code, stderr } = await run.finished;
    expect(code, stderr).toBe(0);
    expect(removed).toBeGreaterThan(0);
    const audit = await plume("audit", out, "--json");
    expect(audit).toMatchObject({ code: 0 });
    expect(await train(job, out, "--set", `store.endpoint=${endpoint}`).catch(String)).toMatchObject({
      weightsSha256: wanted,
    });
  });
});

describe("a sample that cannot be decoded", () => {
  const corrupt = PICTURES[20]!;
  const change = (k: number, png: Buffer) => (k === corrupt ? Buffer.alloc(png.length, 1) : png);

  it("fails the run by shard and key, or is skipped: to the same bits at any size, noted in the ledger", async () => {
    using scratch = scratchFolder();
    const shards = await writeShards(scratch.file("shards"), { change });
    const failed = await plume(
      "train",
      "-f",
      pictureJob(scratch.path, `wds:${shards}`),
      "--out",
      scratch.file("failed"),
    );
    expect(failed.code).toBe(1);
    expect(failed.stderr).toMatch(/shard-000000\.tar: 0060 cannot be decoded/);

    const job = pictureJob(scratch.path, `wds:${shards}`, ", onError: skip");
    const one = await train(job, scratch.file("one"), "--workers", "1");
    const two = await train(job, scratch.file("two"), "--workers", "2");
    expect(two.weightsSha256).toBe(one.weightsSha256);
    expect(one.weightsSha256).not.toBe(wanted);
    for (const { skippedSamples } of [one, two]) expect(skippedSamples).toBe(1);

    // Three epochs of 64 in twelve steps of 16: skipped three times, always for its neighbour.
    const noted = linesOf(scratch.file("two", "ledger.ndjson")).flatMap(
      (line) => (JSON.parse(line) as { skippedSamples?: [number, number][] }).skippedSamples ?? [],
    );
    expect(noted).toEqual([
      [20, 21],
      [20, 21],
      [20, 21],
    ]);
    const audit = await plume("audit", scratch.file("two"));
    expect(audit).toMatchObject({ code: 0, stdout: expect.stringContaining("1 that cannot be decoded") });
    expect(await plume("audit", scratch.file("two"), "--replay", "5")).toMatchObject({ code: 0 });
  });
});

describe("data that changed", () => {
  it("refuses a resumption by the name of the object", async () => {
    using scratch = scratchFolder();
    const shards = await writeShards(scratch.file("shards"));
    const job = pictureJob(scratch.path, `wds:${shards}`);
    await train(job, scratch.file("run"), "--workers", "1", "--steps", "4");
    await writeShards(shards, { shards: 2 });
    const { code, stderr } = await plume("train", "-f", job, "--out", scratch.file("run"));
    expect(code).toBe(2);
    expect(stderr).toMatch(
      /was trained on other data than this job names: shard-000000\.tar has \d+ bytes, it had \d+/,
    );
  });
});

describe("plume data inspect", () => {
  it("shows shards, classes, what is cached, and draws", async () => {
    using scratch = scratchFolder();
    using _environment = withEnvironment({ ...s3().env, PLUME_CACHE: scratch.file("cache") });
    const inspect = ["data", "inspect", "wds:s3://plume-test/shards/", "--image-size", "8"];
    const first = await plume(...inspect, "-o", scratch.file("grid.png"));
    expect(first.stderr).toBe("");
    expect(first.stdout).toContain("64 images of 8x8x3, 3 classes");
    expect(first.stdout).toMatch(/lies in 3 objects of \d\.\d\d MiB, \d\.\d\d MiB in this host's cache/);
    expect(first.stdout).toMatch(/shard-000001\.tar\s+0\.\d\d MiB\s+22/);
    expect(existsSync(scratch.file("grid.png"))).toBe(true);
    const { storage } = JSON.parse((await plume(...inspect, "--json")).stdout) as {
      storage: { cachedBytes: number; objects: { size: number }[] };
    };
    expect(storage.cachedBytes).toBe(storage.objects.reduce((sum, { size }) => sum + size, 0));
  });
});
