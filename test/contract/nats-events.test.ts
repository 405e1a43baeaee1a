// A run's events on a real server: in their order and once, whatever happens to either side.

import { jetstream, jetstreamManager } from "@nats-io/jetstream";
import { describe, expect, it } from "vitest";
import { natsWire } from "../../coordinator/cli/control/nats-wire.ts";
import { createNats } from "../../coordinator/nats/onlooker.ts";
import type { StampedEvent } from "../../shared/bus/event-log.ts";
import { type NatsServer, startNatsServer } from "../support/nats-server.ts";
import { scratchFolder } from "../support/plume.ts";
import { pause } from "../support/processes.ts";
import { openTestRun, type TestRun, type TestRunOptions } from "../support/run-view.ts";

const warning = (message: string) => ({ kind: "warning", message }) as const;

interface Watched extends TestRun, AsyncDisposable {}

/** A run whose onlooker is attached. */
async function watched(server: NatsServer, options: Omit<TestRunOptions, "spec">): Promise<Watched> {
  const run = openTestRun({ ...options, spec: { nats: { servers: [server.url] } } });
  const onlooker = createNats({ recovering: false, epochMs: Date.now });
  await onlooker.open(run.view.job);
  await onlooker.attach(run.view);
  return { ...run, [Symbol.asyncDispose]: () => onlooker.close() };
}

/** All that the job's stream has. */
async function stored(server: NatsServer, name: string): Promise<StampedEvent[]> {
  const connection = await server.connect();
  try {
    const consumer = await jetstream(connection).consumers.get(`plume-events-${name}`);
    const { num_pending } = await consumer.info();
    const events: StampedEvent[] = [];
    if (num_pending === 0) return events;
    for await (const message of await consumer.fetch({ max_messages: num_pending, expires: 5_000 }))
      events.push(message.json());
    await consumer.delete();
    return events;
  } catch (error) {
    if ((error as Error).message.includes("not found")) return [];
    throw error;
  } finally {
    await connection.close();
  }
}

async function untilStored(server: NatsServer, name: string, count: number): Promise<StampedEvent[]> {
  for (const end = Date.now() + 60_000; ; await pause(50)) {
    const events = await stored(server, name);
    if (events.length >= count) return events;
    if (Date.now() > end) throw new Error(`${events.length} of ${count} events within 60 s`);
  }
}

/** The job's stream on a server that soon forgets which messages it has had: order and once must not lean on that. */
async function forgetful(name: string): Promise<NatsServer> {
  const server = await startNatsServer();
  const { streams } = await jetstreamManager(await server.connect());
  await streams.add({ name: `plume-events-${name}`, subjects: [`plume.${name}.event.>`], duplicate_window: 100e6 });
  return server;
}

const messagesOf = (events: readonly StampedEvent[]) =>
  events.map(({ event }) => (event.kind === "warning" ? event.message : event.kind));
const numbers = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => `${from + i}`);

describe("the events of a run", () => {
  it("are all there after a server was killed and came back, in their order, and none twice", async () => {
    using scratch = scratchFolder();
    await using server = await forgetful("killed");
    await using run = await watched(server, { folder: scratch.path, name: "killed" });
    for (let i = 0; i < 300; i++) {
      run.publish(warning(`${i}`));
      if (i === 100) await untilStored(server, "killed", 50);
      if (i === 150) await server.kill();
      if (i % 10 === 0) await pause(1);
    }
    await server.restart();
    const events = (await untilStored(server, "killed", 301)).filter(
      ({ event }) => !JSON.stringify(event).includes("is gone"),
    );
    expect(messagesOf(events)).toEqual(numbers(0, 300));
    expect(run.warnings.filter((message) => message.includes("is gone"))).toHaveLength(1);
  });

  it("are all there after a server was frozen with its sockets open, longer than anybody waits for it", async () => {
    using scratch = scratchFolder();
    await using server = await forgetful("frozen");
    await using run = await watched(server, { folder: scratch.path, name: "frozen" });
    run.publish(warning("0"));
    await untilStored(server, "frozen", 1);
    server.freeze();
    for (let i = 1; i < 200; i++) run.publish(warning(`${i}`));
    const gone = () => run.warnings.some((message) => message.includes("is gone"));
    while (!gone()) await pause(100);
    server.thaw();
    const events = await untilStored(server, "frozen", 201);
    expect(messagesOf(events).filter((message) => !message.includes("is gone"))).toEqual(numbers(0, 200));
    expect(new Set(events.map(({ id }) => id)).size).toBe(events.length);
  });

  it("go on in the same stream when a coordinator is killed, from what the stream has", async () => {
    using scratch = scratchFolder();
    await using server = await forgetful("again");
    {
      await using first = await watched(server, { folder: scratch.path, name: "again" });
      for (const each of numbers(0, 20)) first.publish(warning(each));
      await untilStored(server, "again", 20);
    }
    // What nobody published any more before the kill.
    const dead = openTestRun({ folder: scratch.path, name: "again", incarnation: 2 });
    for (const each of numbers(20, 30)) dead.publish(warning(each));
    await pause(200); // the server has forgotten
    await using third = await watched(server, { folder: scratch.path, name: "again", incarnation: 3 });
    for (const each of numbers(30, 40)) third.publish(warning(each));
    expect(messagesOf(await untilStored(server, "again", 40))).toEqual(numbers(0, 40));
  });

  it("of the newest run of a name are replayed, though their ids are those of the run before", async () => {
    using before = scratchFolder();
    using now = scratchFolder();
    await using server = await startNatsServer();
    {
      await using first = await watched(server, { folder: before.path, name: "twice" });
      for (const each of ["old", "older"]) first.publish(warning(each));
    }
    await pause(2); // a run is told by the millisecond of its first event
    await using second = await watched(server, { folder: now.path, name: "twice" });
    for (const each of ["new", "newer"]) second.publish(warning(each));
    await untilStored(server, "twice", 4);
    await using wire = await natsWire({ settings: { servers: [server.url] }, job: "twice", timeoutMs: 5_000 });
    const seen: StampedEvent[] = [];
    for await (const event of wire.events(false, new AbortController().signal)) seen.push(event);
    expect(messagesOf(seen)).toEqual(["new", "newer"]);
    expect(seen.map(({ id }) => id)).toEqual(["1-1", "1-2"]);
  });

  it("are all there again on a server that has lost what it stored, and none that was purged comes back", async () => {
    using scratch = scratchFolder();
    await using server = await startNatsServer();
    await using run = await watched(server, { folder: scratch.path, name: "lost" });
    run.publish(warning("0"));
    run.publish(warning("1"));
    await untilStored(server, "lost", 2);
    const connection = await server.connect();
    const { streams } = await jetstreamManager(connection);
    await streams.purge("plume-events-lost");
    run.publish(warning("2"));
    expect(messagesOf(await untilStored(server, "lost", 1))).toEqual(["2"]);
    await streams.delete("plume-events-lost");
    run.publish(warning("3"));
    expect(messagesOf(await untilStored(server, "lost", 4))).toEqual(numbers(0, 4));
  });

  it("keep their order beside what others write into their stream", async () => {
    using scratch = scratchFolder();
    await using server = await startNatsServer();
    await using run = await watched(server, { folder: scratch.path, name: "alien" });
    const connection = await server.connect();
    run.publish(warning("0"));
    await untilStored(server, "alien", 1);
    for (let i = 1; i < 50; i++) {
      run.publish(warning(`${i}`));
      if (i % 10 === 3) {
        await pause(20);
        connection.publish("plume.alien.event.lifecycle", "not plume's");
      }
    }
    const { streams } = await jetstreamManager(connection);
    while ((await streams.info("plume-events-alien").catch(() => null))?.state.messages !== 55) await pause(50);
    await using wire = await natsWire({ settings: { servers: [server.url] }, job: "alien", timeoutMs: 5_000 });
    const seen: StampedEvent[] = [];
    for await (const event of wire.events(false, new AbortController().signal)) seen.push(event);
    expect(messagesOf(seen)).toEqual(numbers(0, 50));
  });

  it("are bounded in memory at a thousand a second and more, and what was not kept is counted and said", async () => {
    using scratch = scratchFolder();
    await using server = await startNatsServer();
    await using run = await watched(server, { folder: scratch.path, name: "flood" });
    for (let i = 0; i < 2_000; i++) {
      run.publish(warning(`calm ${i}`));
      if (i % 10 === 0) await pause(10);
    }
    await untilStored(server, "flood", 2_000);
    expect(run.warnings.filter((message) => !message.startsWith("calm"))).toEqual([]);
    await server.kill();
    while (!run.warnings.some((message) => message.includes("is gone"))) await pause(20);
    for (let i = 0; i < 30_000; i++) {
      run.publish(warning(`${i}`));
      if (i % 100 === 0) await pause(0);
    }
    expect(run.view.events.after(null).length).toBe(10_000);
    await server.restart();
    const events = await untilStored(server, "flood", 12_001);
    const said = run.warnings.find((message) => message.includes("never came"));
    const numbersStored = events.slice(2_000).map(({ id }) => Number(id.split("-")[1]));
    expect(numbersStored).toEqual(Array.from(numbersStored, (_, i) => numbersStored[0]! + i));
    expect(said).toMatch(new RegExp(`^${numbersStored[0]! - 2_001} events never came`));
    expect(messagesOf(events)).toContain(said);
  });
});
