// What the machine's memory can do: threads that copy, each its own part, as fast as they can.

import { once } from "node:events";
import { Worker } from "node:worker_threads";
import { type Summary, summarise } from "./measure.ts";

const COPIER = `
const { parentPort, workerData } = require("node:worker_threads");
const { bytes, runs } = workerData;
const from = Buffer.from(new SharedArrayBuffer(bytes)).fill(1), to = Buffer.from(new SharedArrayBuffer(bytes)).fill(2);
parentPort.on("message", () => { to.set(from); parentPort.postMessage(null); });
parentPort.postMessage(null);
`;

/** GB/s that are read and written together when `threads` threads copy `bytes` in all. */
export async function copySpeed(bytes: number, threads: number, runs: number): Promise<Summary> {
  const workers = Array.from(
    { length: threads },
    () => new Worker(COPIER, { eval: true, execArgv: [], workerData: { bytes: Math.floor(bytes / threads), runs } }),
  );
  const all = () => Promise.all(workers.map((worker) => once(worker, "message")));
  await all();
  const rates: number[] = [];
  for (let run = -2; run < runs; run++) {
    const started = performance.now();
    for (const worker of workers) worker.postMessage(null);
    await all();
    if (run >= 0) rates.push((2 * bytes) / 1e6 / (performance.now() - started));
  }
  await Promise.all(workers.map((worker) => worker.terminate()));
  return summarise(rates);
}
