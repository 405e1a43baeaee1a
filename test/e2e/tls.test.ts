// A run whose processes speak gRPC with certificates: the same bits, however the certificates change meanwhile, and nobody
// else gets a word.

import { join } from "node:path";
import { expect, it } from "vitest";
import { sleep } from "../../shared/clock.ts";
import { readSummary } from "../../shared/summary.ts";
import { authority } from "../support/certificates.ts";
import { linesOf, plume, scratchFolder, startPlume, tinyJob, train, until, workerPid } from "../support/plume.ts";

/** A changed folder is looked at within five seconds. */
const TAKEN_UP_MS = 6_500;

it("trains to the same hash under certificates that are replaced, and lets only their holders ask", async () => {
  using scratch = scratchFolder();
  const job = tinyJob(scratch.path);
  const set = ["--set", "training.steps=120", "--set", "workers.replicas=2", "--set", "workers.transport=grpc"];
  const plain = await train(job, scratch.file("plain"), ...set);

  const PLUME_TLS = authority(scratch.file("first"), "first").issue(scratch.file("tls"));
  const out = scratch.file("run");
  const run = startPlume(["train", "-f", job, "--out", out, ...set], { env: { PLUME_TLS } });
  const steps = () => linesOf(join(out, "ledger.ndjson")).length;
  await until("it trains", () => steps() > 2);
  const asked = (verb: string) => startPlume(["ctl", verb, out], { env: { PLUME_TLS } }).finished;
  expect(await asked("pause")).toMatchObject({ code: 0 }); // held, so that it is not over before the certificates are changed

  const stranger = await plume("ctl", "status", out);
  expect(stranger.code).toBe(1);
  expect(stranger.stderr).toContain("it speaks TLS, and this process plaintext");
  expect(stranger.stderr).toContain("set PLUME_TLS here");

  // Another authority altogether: whoever comes from now on has its certificates.
  authority(scratch.file("second"), "second").issue(PLUME_TLS);
  await sleep(TAKEN_UP_MS);
  const before = workerPid(out, 1)!;
  process.kill(before, "SIGKILL");
  await until("its successor is there", () => workerPid(out, 1) !== before);
  expect(await asked("resume")).toMatchObject({ code: 0 });

  const { code, stderr } = await run.finished;
  expect(code, stderr).toBe(0);
  const summary = readSummary(join(out, "summary.json"));
  expect(summary.weightsSha256).toBe(plain.weightsSha256);
  expect(summary.transports).toEqual(["grpc"]);
});

it("does not start with certificates that cannot work, and says which file is wrong", async () => {
  using scratch = scratchFolder();
  const env = { PLUME_TLS: scratch.file("none") };
  for (const args of [
    ["train", "-f", tinyJob(scratch.path), "--out", scratch.file("run")],
    ["ctl", "status", "--address", "localhost:1"],
  ]) {
    const { code, stderr } = await startPlume(args, { env }).finished;
    expect(code, args[0]).toBe(2);
    expect(stderr).toContain(`PLUME_TLS: there is no ${scratch.file("none", "ca.crt")}`);
    expect(stderr).toContain("unset PLUME_TLS for plaintext");
  }
});
