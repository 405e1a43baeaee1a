import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { credentials } from "@grpc/grpc-js";
import { expect, it } from "vitest";
import { ControlServiceClient } from "../../proto/gen/plume/v1/control.ts";
import { readRunLock } from "../../shared/run-lock/lock.ts";
import { linesOf, plume, scratchFolder, startPlume, tinyJob, until } from "../support/plume.ts";

/** In the environment, and in the words of an error or of a person. */
const PLANTED = {
  AWS_SECRET_ACCESS_KEY: "planted/aws+secret0123456789",
  AWS_SESSION_TOKEN: "planted-session-0123456789",
  PLUME_TOKEN: "planted-plume-token-0123",
  NATS_PASSWORD: "planted-nats-password",
};
const TOLD = [`SU${"B6".repeat(28)}`, "AKIAIOSFODNN7PLANTED", "planted-in-a-url"] as const;

it("a run's folder has none of the secrets that were in its environment and in what it was told; its logs say where they are", async () => {
  using scratch = scratchFolder();
  const job = tinyJob(scratch.path);
  const out = scratch.file("run");
  const args = ["train", "-f", job, "--out", out, "--steps", "5000", "--log-level", "debug"];
  const run = startPlume([...args, "--set", "sampling.count=0"], { env: PLANTED });
  await until("three steps", () => linesOf(join(out, "ledger.ndjson")).length >= 3);
  const client = new ControlServiceClient(readRunLock(out)!.record.address!, credentials.createInsecure());
  const reason = `${TOLD[0]} ${TOLD[1]} https://u:${TOLD[2]}@host/ ${Object.values(PLANTED).join(" ")}`;
  const stopped = new Promise((resolve, reject) =>
    client.stop({ reason, requestId: "1" }, (error, answer) => (error ? reject(error) : resolve(answer))),
  );
  await stopped;
  client.close();
  expect((await run.finished).code).toBe(0);

  const secrets = [...Object.values(PLANTED), ...TOLD];
  const files = readdirSync(out, { recursive: true, encoding: "utf8" }).filter((name) =>
    statSync(join(out, name)).isFile(),
  );
  for (const name of ["job.yaml", "events.ndjson", "logs/coordinator.log", "logs/worker-0.log", "summary.json"])
    expect(files).toContain(name);
  expect(files.some((name) => name.endsWith("manifest.json"))).toBe(true);
  for (const name of files) {
    const text = readFileSync(join(out, name), "latin1");
    for (const secret of secrets) expect(text.includes(secret), `${name} has ${secret}`).toBe(false);
  }

  const log = (name: string) => linesOf(join(out, "logs", name)).map((line) => JSON.parse(line));
  const asked = log("coordinator.log").find(({ msg }) => msg === "stopping after the step in progress");
  expect(asked.reason).toBe(`[redacted] [redacted] https://[redacted]@host/ ${"[redacted] ".repeat(4).trim()}`);
  expect(asked).toMatchObject({ role: "coordinator", job: "tiny", incarnation: 1, step: expect.any(Number) });
  const workers = files.flatMap((name) => /^logs\/(worker-\d+)\.log$/.exec(name)?.[1] ?? []);
  const leases = workers.flatMap((worker) => log(`${worker}.log`).filter(({ msg }) => msg === "lease taken"));
  for (const lease of leases)
    expect(lease).toMatchObject({ level: 20, role: "worker", worker: expect.any(String), job: "tiny", incarnation: 1 });
  // Whichever worker was there first took step 1.
  expect(leases.map(({ step }) => step)).toContain(1);
});

it("a level that is none is refused before anything is done", async () => {
  const { code, stderr } = await plume("train", "-f", "deploy/jobs/shapes.yaml", "--log-level", "loud");
  expect(code).toBe(2);
  expect(stderr).toContain("--log-level loud is unknown");
  expect(stderr).toContain("use one of trace, debug, info, warn, error, fatal, silent");
});
