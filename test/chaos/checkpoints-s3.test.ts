// A run whose checkpoints go to a real S3 server that is killed, forgets its bucket, or does not know the key any more.
// Training never waits for it; once it is well again it has the newest checkpoint, and nothing that no manifest names.

import { mkdirSync, rmSync } from "node:fs";
import { beforeAll, describe, expect, it } from "vitest";
import { faultsOf } from "../../shared/checkpoint/faults.ts";
import { objectsOf } from "../../shared/checkpoint/objects.ts";
import { listCheckpoints, readCheckpoint } from "../../shared/checkpoint/read.ts";
import { collectOrphans } from "../../shared/checkpoint/retention.ts";
import { openStore } from "../../shared/store/open.ts";
import type { S3Server } from "../support/s3-server.ts";
import { useS3Server } from "../support/use-s3-server.ts";
import { calmRun, chaosJob, STEPS, startRunWith } from "./harness.ts";

const server = useS3Server();

/** Breaks the server once a checkpoint is there, mends it later; the run must end as if nothing had been. */
async function through(
  prefix: string,
  fault: { breaks(s3: S3Server): Promise<void>; mends(s3: S3Server): Promise<void> },
) {
  using job = chaosJob();
  const clean = await calmRun(job);
  const url = `s3://${server().bucket}/${prefix}`;
  const run = startRunWith(
    { env: server().env },
    job,
    "--set",
    `checkpoint.store=${url}`,
    ...["--set", "checkpoint.everySteps=20", "--set", "checkpoint.retrySeconds=120"],
  );
  await run.sees("a checkpoint", ({ saves }) => (saves?.written ?? 0) > 0);
  await fault.breaks(server());
  const broken = run.steps();
  await run.sees("a failure", ({ saves }) => (saves?.failed ?? 0) + (saves?.retried ?? 0) > 0);
  await run.reaches(Math.min(STEPS, broken + 40)); // it trains on
  await fault.mends(server());
  const summary = await run.endsLike(clean);
  expect(summary).toMatchObject({ checkpoint: STEPS, unsaved: null });
  const store = await openStore(url);
  expect((await readCheckpoint(store, "latest")).state.step).toBe(STEPS);
  await collectOrphans(store, { nowMs: Date.now() + 1000, olderThanMs: 0 });
  const listed = await listCheckpoints(store);
  const named = new Set(
    listed.flatMap(({ prefix: at, manifest }) => [
      `${at}manifest.json`,
      ...manifest.parts.map(({ key }) => at + key),
      ...manifest.ledger.map(({ key }) => key),
    ]),
  );
  for await (const { key } of store.list("")) expect(named).toContain(key);
  expect(await faultsOf(store, objectsOf(listed.at(-1)!.manifest))).toEqual([]);
}

describe("checkpoints on S3", () => {
  beforeAll(() => expect(server().bucket).toBeTruthy());

  it("the server is killed while a save is on its way, and back some seconds later", () =>
    through("killed", {
      breaks: (s3) => s3.kill(),
      mends: (s3) => s3.restart(),
    }));

  it("the bucket is deleted with all that is in it, and made again", () =>
    through("deleted", {
      breaks: async (s3) => rmSync(s3.folder, { recursive: true }),
      mends: async (s3) => void mkdirSync(s3.folder),
    }));

  it("the credentials are revoked in the middle of the run, and good again later", () =>
    through("revoked", {
      async breaks(s3) {
        await s3.kill();
        await s3.restart("another-secret-2718281828");
      },
      async mends(s3) {
        await s3.kill();
        await s3.restart();
      },
    }));
});
