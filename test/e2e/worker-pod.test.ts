// A pod of several workers as real processes: a worker killed in it, a run trained by it alone, and its end.

import { type ChildProcess, spawn } from "node:child_process";
import { promisify } from "node:util";
import { credentials } from "@grpc/grpc-js";
import { afterEach, expect, it } from "vitest";
import { ControlServiceClient } from "../../proto/gen/plume/v1/control.ts";
import { ownConnection } from "../../shared/rpc/transport.ts";
import { readSummary } from "../../shared/summary.ts";
import { bundledFile, scratchFolder, tinyJob, train } from "../support/plume.ts";
import { childrenOf, killed } from "../support/processes.ts";

const open: ChildProcess[] = [];
afterEach(async () => {
  for (const child of open.splice(0)) await killed(child);
});

async function start(name: "coordinator" | "worker-pod", args: readonly string[], env = {}) {
  const child = spawn(process.execPath, [await bundledFile(name), ...args], {
    env: { ...process.env, PLUME_AUTO: "wasm", ...env },
    stdio: ["ignore", "ignore", "inherit"],
  });
  open.push(child);
  return { child, ended: new Promise<number | null>((resolve) => child.on("exit", resolve)) };
}

/** Of a process's own: every port of it is free. */
const hostOf = (number: number) => `127.${1 + (process.pid % 250)}.${(process.pid >> 8) % 250}.${number}`;

const get = async (path: string) => {
  const response = await fetch(`http://${path}`).catch(() => null);
  return { status: response?.status ?? 0, text: (await response?.text()) ?? "" };
};

it("trains to the bits of any other workers, starts again what dies in it, tells of all, and leaves when it is asked", async () => {
  using scratch = scratchFolder();
  const job = tinyJob(scratch.path);
  const calm = await train(job, scratch.file("calm"));
  const [there, here] = [hostOf(1), hostOf(2)];
  const at = `${there}:7070`;
  const folder = ["--job", job, "--out", scratch.file("run")];
  const coordinator = await start("coordinator", [
    ...[...folder, "--listen", at, "--monitor", `${there}:7071`],
    ...["--set", "workers.transport=grpc", "--set", "workers.min=2", "--linger"],
  ]);
  const control = new ControlServiceClient(at, credentials.createInsecure(), ownConnection);
  const ask = promisify(control.pause.bind(control)) as (request: object) => Promise<unknown>;
  await expect.poll(() => ask({ requestId: "a" }).catch(String)).toEqual({ alreadyPaused: false });
  const pod = await start(
    "worker-pod",
    ["--processes=2", `--coordinator=${at}`, "--id=pod-0", `--metrics=${here}:7072`, "--patience=Infinity"],
    { CUDA_VISIBLE_DEVICES: "4,7" },
  );
  await expect.poll(() => get(`${here}:7072/healthz`)).toEqual({ status: 200, text: "ok\n" });
  await expect.poll(() => get(`${here}:7072/readyz`)).toEqual({ status: 200, text: "ok\n" });

  const workers = () => childrenOf(pod.child.pid!).filter(({ args }) => args.some((arg) => arg.startsWith("--id=")));
  const idOf = (args: readonly string[]) => args.find((arg) => arg.startsWith("--id="));
  const before = workers();
  expect(before.map(({ args }) => idOf(args)).sort()).toEqual(["--id=pod-0-0", "--id=pod-0-1"]);
  const [victim, other] = before;
  process.kill(victim!.pid, "SIGKILL");
  await expect.poll(() => workers().filter(({ pid }) => pid !== victim!.pid)).toHaveLength(2);
  await expect.poll(() => get(`${here}:7072/readyz`)).toEqual({ status: 200, text: "ok\n" });
  expect(workers().map(({ pid }) => pid)).toContain(other!.pid);

  const { text } = await get(`${here}:7072/metrics`);
  for (const worker of ["pod-0-0", "pod-0-1"])
    expect(text).toMatch(new RegExp(`plume_worker_micro_batches_total\\{.*worker="${worker}"\\} \\d`));
  expect(text.match(/^# TYPE plume_worker_micro_batches_total/gm)).toHaveLength(1);
  const targets = await get(`${there}:7071/targets`);
  expect(targets.text).toContain(`"${here}:7073"`);
  expect(targets.text).toContain(`"${here}:7074"`);

  const resume = promisify(control.resume.bind(control)) as (request: object) => Promise<unknown>;
  await resume({ requestId: "b" });
  // Nobody supervises it here, so that the workers are sent away at the end, and the pod with them.
  expect(await pod.ended).toBe(0);
  await expect.poll(() => get(`${there}:7071/readyz`)).toEqual({ status: 200, text: "ok\n" });
  expect(readSummary(scratch.file("run", "summary.json"))).toMatchObject({
    weightsSha256: calm.weightsSha256,
    outcome: "complete",
  });
  coordinator.child.kill("SIGTERM");
  expect(await coordinator.ended).toBe(0);

  // Another one finds nothing left to do, and no workers to do it with; a pod waits for nobody, and leaves.
  const again = await start("coordinator", [...folder, "--listen", at, "--monitor", `${there}:7071`, "--linger"]);
  await expect
    .poll(() => get(`${there}:7071/metrics`))
    .toMatchObject({
      text: expect.stringMatching(/^plume_job_condition\{condition="Complete",.*\} 1$/m),
    });
  again.child.kill("SIGTERM");
  expect(await again.ended).toBe(0);
  control.close();
});

it("has a coordinator that says by its exit code that it was asked to go before the run was over", async () => {
  using scratch = scratchFolder();
  const there = hostOf(5);
  const coordinator = await start("coordinator", [
    ...["--job", tinyJob(scratch.path), "--out", scratch.file("run"), "--listen", `${there}:7070`],
    ...["--monitor", `${there}:7071`, "--set", "workers.transport=grpc", "--linger"],
  ]);
  await expect.poll(() => get(`${there}:7071/healthz`)).toMatchObject({ status: 200 });
  coordinator.child.kill("SIGTERM");
  expect(await coordinator.ended).toBe(143);
});

it("passes SIGTERM on, and says by its exit code that this ended it", async () => {
  const pod = await start("worker-pod", [
    ...["--processes=2", `--coordinator=${hostOf(3)}:7070`, "--id=pod-1", `--metrics=${hostOf(4)}:7072`],
  ]);
  await expect.poll(() => get(`${hostOf(4)}:7074/healthz`)).toMatchObject({ status: 200 });
  await expect.poll(() => get(`${hostOf(4)}:7072/readyz`)).toEqual({ status: 503, text: "worker 0: no coordinator\n" });
  pod.child.kill("SIGTERM");
  expect(await pod.ended).toBe(143);
  expect(childrenOf(pod.child.pid!)).toEqual([]);
});
