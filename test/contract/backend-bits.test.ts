// The same bits in processes of their own and in a worker thread.
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { Worker } from "node:worker_threads";
import { expect, it } from "vitest";

const STEPS = fileURLToPath(new URL("backend/steps.ts", import.meta.url));

function inProcess(...args: string[]): string {
  const { status, stdout, stderr } = spawnSync(process.execPath, ["--import", "tsx", STEPS, ...args], {
    encoding: "utf8",
  });
  expect(status, stderr).toBe(0);
  return stdout.trim();
}

function inThread(): Promise<string> {
  // A thread does not inherit tsx: it registers it itself, as the worker's compute thread does.
  const source = `
    const { workerData, parentPort } = require("node:worker_threads");
    async function main([tsx, backends, steps]) {
      (await import(tsx)).register();
      await (await import(backends)).openBackend("wasm");
      parentPort.postMessage((await (await import(steps)).trainSteps(20)).sha256);
    }
    main(workerData);`;
  const workerData = [
    import.meta.resolve("tsx/esm/api"),
    new URL("../../shared/backends/index.ts", import.meta.url).href,
    new URL("backend/steps.ts", import.meta.url).href,
  ];
  return new Promise((resolve, reject) => {
    new Worker(source, { eval: true, workerData, execArgv: [] }).once("message", resolve).once("error", reject);
  });
}

it("training on wasm ends with the same weights in two processes, after other work and in a worker thread", async () => {
  const first = inProcess();
  expect(first).toMatch(/^[0-9a-f]{64}$/);
  expect(inProcess("--after-other-work")).toBe(first);
  expect(await inThread()).toBe(first);
});
