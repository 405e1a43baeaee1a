// A run whose checkpoints are in a bucket of a real S3 server.

import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { plume, scratchFolder, tinyJob, train } from "../support/plume.ts";
import { freePort } from "../support/processes.ts";
import { S3_KEY, S3_SECRET, withEnvironment } from "../support/s3-server.ts";
import { useS3Server } from "../support/use-s3-server.ts";

const server = useS3Server();

describe("checkpoints on S3", () => {
  it("resume in another folder, at another number of workers, to the bits of the uninterrupted run", async () => {
    using scratch = scratchFolder();
    const job = tinyJob(scratch.path);
    const whole = await train(job, scratch.file("whole"), "--workers", "1");

    const url = `s3://${server().bucket}/runs/tiny`;
    const store = ["--set", `checkpoint.store=${url}`, "--set", "checkpoint.everySteps=3"];
    const first = await train(job, scratch.file("first"), "--workers", "1", "--steps", "5", ...store);
    expect(first.weightsSha256).not.toBe(whole.weightsSha256);
    const resumed = await train(job, scratch.file("second"), "--workers", "3", "--resume", "latest", ...store);
    expect(resumed.weightsSha256).toBe(whole.weightsSha256);

    const listed = await plume("checkpoints", "ls", url, "--json");
    expect(listed).toMatchObject({ code: 0 });
    for (const step of [5, 6, 8]) expect(listed.stdout).toMatch(new RegExp(`\\b${step}\\b`));
    expect(listed.stdout).not.toContain("preflight");
    expect(await plume("checkpoints", "verify", url)).toMatchObject({ code: 0 });

    const copy = `s3://${server().bucket}/copies/tiny`;
    expect(await plume("checkpoints", "cp", url, scratch.file("copy"), "--all")).toMatchObject({ code: 0 });
    expect(await plume("checkpoints", "cp", scratch.file("copy"), copy, "--step", "6")).toMatchObject({ code: 0 });
    expect(await plume("checkpoints", "verify", copy)).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/^step 6: whole/),
    });

    const image = scratch.file("grid.png");
    expect(await plume("sample", url, "--count", "4", "--output", image)).toMatchObject({ code: 0 });
    expect(readFileSync(image).subarray(1, 4).toString()).toBe("PNG");
  });

  it("leave no key and no secret in a run's folder or on the screen", async () => {
    using scratch = scratchFolder();
    const out = scratch.file("run");
    const store = [
      "--set",
      `checkpoint.store=s3://${server().bucket}/quiet`,
      "--set",
      `store.endpoint=${server().endpoint}`,
    ];
    using _environment = withEnvironment({ AWS_ENDPOINT_URL_S3: undefined });
    const { code, stdout, stderr } = await plume("train", "-f", tinyJob(scratch.path), "--out", out, ...store);
    expect(code).toBe(0);
    const texts = [stdout, stderr];
    for (const folder of [scratch.path, server().folder])
      for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true }))
        if (entry.isFile()) texts.push(readFileSync(join(entry.parentPath, entry.name), "latin1"));
    expect(texts.length).toBeGreaterThan(10);
    for (const text of texts) for (const word of [S3_SECRET, S3_KEY]) expect(text.includes(word)).toBe(false);
  });

  it("are refused before anything is written when the bucket is not there", async () => {
    using scratch = scratchFolder();
    const out = scratch.file("run");
    const store = ["--set", "checkpoint.store=s3://no-such-bucket/run"];
    const { code, stderr } = await plume("train", "-f", tinyJob(scratch.path), "--out", out, ...store);
    expect(code).toBe(2);
    expect(stderr).toContain("has no bucket no-such-bucket");
    expect(existsSync(out)).toBe(false);
  });
});

describe("plume doctor", () => {
  const finding = async (...args: string[]) => {
    const { code, stdout, stderr } = await plume("doctor", "--json", ...args);
    for (const word of [S3_SECRET, S3_KEY, "hunter2"]) expect(`${stdout}${stderr}`).not.toContain(word);
    const { findings } = JSON.parse(stdout) as { findings: { what: string; state: string; detail: string }[] };
    return { code, ...findings.find(({ what }) => what === "S3") };
  };

  it("says that S3 is configured and answers, and whether a store can be read", async () => {
    expect(await finding()).toMatchObject({
      state: "ok",
      detail: `keys from the environment; ${server().endpoint} answers`,
    });
    expect(await finding("--store", `s3://${server().bucket}/none`)).toMatchObject({
      code: 0,
      state: "ok",
      detail: expect.stringContaining("is empty"),
    });
    expect(await finding("--store", "s3://no-such-bucket")).toMatchObject({
      code: 1,
      state: "bad",
      detail: expect.stringContaining("has no bucket"),
    });
  });

  it("says what is missing, and no secret of an endpoint", async () => {
    const port = await freePort();
    {
      using _environment = withEnvironment({ AWS_ENDPOINT_URL_S3: `http://user:hunter2@127.0.0.1:${port}` });
      expect(await finding()).toMatchObject({
        state: "missing",
        detail: expect.stringContaining(`http://127.0.0.1:${port} does not answer`),
      });
    }
    using _environment = withEnvironment({
      AWS_ACCESS_KEY_ID: undefined,
      AWS_SECRET_ACCESS_KEY: undefined,
      AWS_SHARED_CREDENTIALS_FILE: "/none",
    });
    expect(await finding()).toMatchObject({ state: "missing", detail: expect.stringContaining("no credentials") });
  });
});
