// A worker's metrics and health on real ports.

import { request } from "node:http";
import { afterEach, describe, expect, it } from "vitest";
import type { Logger } from "../../shared/log.ts";
import { createWorkerMeter } from "../../worker/meter.ts";
import { openMonitor } from "../../worker/monitor.ts";
import { freePort } from "../support/processes.ts";

const open: AsyncDisposable[] = [];
afterEach(async () => {
  for (const each of open.splice(0)) await each[Symbol.asyncDispose]();
});

interface Line {
  readonly level: string;
  readonly reason?: string;
  readonly url?: string;
}

async function monitorOf(worker: string, place: { host: string; port: number } | null = null) {
  const meter = createWorkerMeter();
  const lines: Line[] = [];
  const keep = (level: string) => (line: object) => void lines.push({ level, ...line });
  const log = { info: keep("info"), warn: keep("warn"), error: keep("error") } as unknown as Logger;
  const monitor = await openMonitor({ workerId: worker, counts: meter.counts, place, log });
  open.push(monitor);
  return {
    meter,
    lines,
    place: (host: string, workerPort: number) => monitor.listen("tiny", { host, port: 0, workerPort }),
    listen: async (host: string, workerPort: number) =>
      (await monitor.listen("tiny", { host, port: 0, workerPort })).port,
  };
}

const get = async (port: number, path: string) => {
  const answer = await fetch(`http://127.0.0.1:${port}${path}`);
  return { status: answer.status, text: await answer.text() };
};

describe("a worker's monitor", () => {
  it("tells what the worker has counted, and whether it is ready", async () => {
    const { meter, listen } = await monitorOf("worker-3");
    const port = await listen("127.0.0.1", 0);
    expect(await get(port, "/healthz")).toEqual({ status: 200, text: "ok\n" });
    expect(await get(port, "/readyz")).toEqual({ status: 503, text: "no coordinator\n" });
    meter.connected(true);
    meter.block(true);
    meter.computed(4, { tensors: 7, tensorBytes: 70, usedBytes: 700 });
    meter.moved("in", "shm", 1000);
    expect((await get(port, "/readyz")).status).toBe(200);
    const { text } = await get(port, "/metrics");
    const whose = 'training_job="tiny",component="worker",worker="worker-3"';
    for (const line of [
      `plume_worker_micro_batches_total{${whose}} 4`,
      `plume_worker_blocks_total{result="taken",${whose}} 1`,
      `plume_worker_wire_bytes_total{direction="in",transport="shm",${whose}} 1000`,
      `plume_worker_tensors{${whose}} 7`,
      `plume_worker_backend_memory_bytes{${whose}} 700`,
    ])
      expect(text).toContain(`${line}\n`);
  });

  it("answers from the start on a place of its own, and says whose run it is once it knows", async () => {
    const port = await freePort();
    const { meter, place } = await monitorOf("worker-5", { host: "127.0.0.1", port });
    expect(await get(port, "/healthz")).toEqual({ status: 200, text: "ok\n" });
    expect(await get(port, "/readyz")).toEqual({ status: 503, text: "no coordinator\n" });
    expect((await get(port, "/metrics")).text).toContain('{training_job="",component="worker",worker="worker-5"}');
    expect(await place("192.0.2.1", 7)).toEqual({ host: "127.0.0.1", port });
    meter.connected(true);
    expect((await get(port, "/readyz")).status).toBe(200);
    const { text } = await get(port, "/metrics");
    expect(text).toContain('{training_job="tiny",component="worker",worker="worker-5"}');
    expect(text).not.toContain('training_job=""');
  });

  it("refuses a place of its own that it cannot have", async () => {
    const port = await freePort();
    await monitorOf("worker-0", { host: "127.0.0.1", port });
    await expect(monitorOf("worker-1", { host: "127.0.0.1", port })).rejects.toThrow(`--metrics 127.0.0.1:${port}`);
    await expect(monitorOf("worker-1", { host: "192.0.2.1", port })).rejects.toThrow("this place cannot be had");
  });

  it("keeps its port through all sessions", async () => {
    const { listen } = await monitorOf("worker-0");
    const port = await listen("127.0.0.1", 0);
    expect(await listen("127.0.0.1", 0)).toBe(port);
  });

  it("takes the next free port where another worker of the host has the job's, and says so", async () => {
    const wanted = await freePort();
    const first = await monitorOf("worker-0");
    const second = await monitorOf("worker-1");
    expect(await first.listen("127.0.0.1", wanted)).toBe(wanted);
    const port = await second.listen("127.0.0.1", wanted);
    expect(port).toBeGreaterThan(wanted);
    expect(second.lines).toMatchObject([{ level: "info", reason: `port ${wanted} is taken` }]);
    expect((await get(port, "/metrics")).text).toContain('worker="worker-1"');
  });

  it("costs a line in the log, and no training, where it cannot listen", async () => {
    const { lines, listen } = await monitorOf("worker-0");
    expect(await listen("192.0.2.1", 0)).toBe(0);
    expect(lines).toHaveLength(1);
    expect(lines[0]!.level).toBe("warn");
    expect(lines[0]!.reason).toContain("is no address of this machine");
  });

  it("does not answer under another site's name", async () => {
    const { listen } = await monitorOf("worker-0");
    const port = await listen("127.0.0.1", 0);
    const status = await new Promise((resolve, reject) =>
      request({ port, host: "127.0.0.1", path: "/metrics", headers: { host: "evil.example" } }, (answer) => {
        answer.resume();
        resolve(answer.statusCode);
      })
        .on("error", reject)
        .end(),
    );
    expect(status).toBe(421);
  });
});
