import { Client, credentials } from "@grpc/grpc-js";
import { describe, expect, it } from "vitest";
import {
  ControlServiceClient,
  type GetStatusResponse,
  type StopResponse,
  type WatchResponse,
} from "../../proto/gen/plume/v1/control.ts";
import type { RunEvent } from "../../shared/bus/events.ts";
import { readSummary } from "../../shared/summary.ts";
import { linesOf, scratchFolder, startPlume, tinyJob, until } from "../support/plume.ts";

const bytes = (value: Buffer) => value;

/** grpc.health.v1.Health/Check of the whole server; 1 is SERVING. */
const health = (client: Client): Promise<number> =>
  new Promise((resolve, reject) =>
    client.makeUnaryRequest("/grpc.health.v1.Health/Check", bytes, bytes, Buffer.alloc(0), (error, answer) =>
      error ? reject(error) : resolve(answer![1]!),
    ),
  );

/** The names that the reflection service lists, as they stand in its answer. */
const reflection = (client: Client): Promise<string> =>
  new Promise((resolve, reject) => {
    const call = client.makeBidiStreamRequest(
      "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
      bytes,
      bytes,
    );
    call.on("data", (answer: Buffer) => {
      resolve(answer.toString("latin1"));
      call.end();
    });
    call.on("error", reject);
    call.write(Buffer.from([0x3a, 1, 0x2a])); // list_services: "*"
  });

describe("a running coordinator", () => {
  it("says that it serves and what, gives its status, streams its events, and stops when asked", async () => {
    using scratch = scratchFolder();
    const out = scratch.file("run");
    const run = startPlume([
      "train",
      "-f",
      tinyJob(scratch.path),
      "--out",
      out,
      "--steps",
      "4000",
      "--set",
      "sampling.count=0",
    ]);
    await until("three steps", () => linesOf(`${out}/ledger.ndjson`).length >= 3);
    const address = (
      JSON.parse(linesOf(`${out}/logs/coordinator.log`).find((line) => line.includes("listening"))!) as {
        address: string;
      }
    ).address;

    const client = new Client(address, credentials.createInsecure());
    expect(await health(client)).toBe(1);
    const services = await reflection(client);
    for (const name of ["plume.v1.TrainingService", "plume.v1.ControlService"]) expect(services).toContain(name);
    client.close();

    const control = new ControlServiceClient(address, credentials.createInsecure());
    const { status } = await new Promise<GetStatusResponse>((resolve, reject) =>
      control.getStatus({}, (error, answer) => (error ? reject(error) : resolve(answer))),
    );
    expect(status).toMatchObject({ job: "tiny", phase: "Training", steps: 4000 });
    expect(status!.step).toBeGreaterThanOrEqual(3);

    const events: RunEvent["kind"][] = [];
    const watching = (async () => {
      for await (const { event } of control.watch({}) as AsyncIterable<WatchResponse>)
        events.push((JSON.parse(event) as RunEvent).kind);
    })();
    await until("a step event", () => events.includes("step"));
    const stop = () =>
      new Promise<StopResponse>((resolve, reject) =>
        control.stop({ reason: "enough", requestId: "" }, (error, answer) => (error ? reject(error) : resolve(answer))),
      );
    expect(await stop()).toEqual({ alreadyStopping: false });
    const { code, stderr } = await run.finished;
    expect(code, stderr).toBe(0);
    await watching;
    expect(events[0]).toBe("status");
    expect(events.at(-1)).toBe("end");
    expect(events).toContain("checkpoint");
    control.close();
    const summary = readSummary(`${out}/summary.json`);
    expect(summary.outcome).toBe("stopped");
    expect(summary.checkpoint).toBe(summary.steps);
  });
});
