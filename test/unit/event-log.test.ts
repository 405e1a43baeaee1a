import { appendFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { createBus } from "../../shared/bus/bus.ts";
import { type EventLog, openEventLog, readEvents, type StampedEvent } from "../../shared/bus/event-log.ts";
import type { RunEvent } from "../../shared/bus/events.ts";
import { scratchFolder } from "../support/plume.ts";

const warning = (message: string): RunEvent => ({ kind: "warning", message });

function open(file: string, incarnation: number) {
  const errors: unknown[] = [];
  const bus = createBus((error) => {
    throw error;
  });
  let nowMs = 1000 * incarnation;
  const log = openEventLog({
    file,
    incarnation,
    bus,
    epochMs: () => ++nowMs,
    onListenerError: (error) => errors.push(error),
  });
  return { log, publish: bus.publish, errors };
}

const messages = (log: EventLog, id: string | null) =>
  log.after(id).map(({ event }) => event.kind === "warning" && event.message);

describe("the log of a run's events", () => {
  it("stamps what is kept, in order, and replays what came after an id", () => {
    using scratch = scratchFolder();
    const { log, publish } = open(scratch.file("events.ndjson"), 1);
    for (const message of ["a", "b", "c"]) publish(warning(message));
    expect(log.after(null).map(({ id }) => id)).toEqual(["1-1", "1-2", "1-3"]);
    expect(log.after("1-2")).toEqual([{ id: "1-3", atMs: 1003, event: warning("c") }]);
    expect(log.after("1-3")).toEqual([]);
  });

  it("does not keep what is only a measurement", () => {
    using scratch = scratchFolder();
    const { log, publish } = open(scratch.file("events.ndjson"), 1);
    publish({ kind: "status", status: {} as never });
    publish({ kind: "step" } as never);
    expect(log.after(null)).toEqual([]);
  });

  it("goes on where the coordinator before stopped, whose last line may be torn", () => {
    using scratch = scratchFolder();
    const file = scratch.file("events.ndjson");
    open(file, 1).publish(warning("before"));
    appendFileSync(file, '{"id":"1-2","atMs":10');
    const { log, publish } = open(file, 2);
    publish(warning("after"));
    expect(messages(log, "1-1")).toEqual(["after"]);
    expect(readEvents(file).map(({ id }) => id)).toEqual(["1-1", "2-1"]);
  });

  it("loses nothing and doubles nothing between a replay and a subscription", () => {
    using scratch = scratchFolder();
    const { log, publish } = open(scratch.file("events.ndjson"), 1);
    publish(warning("a"));
    const seen: StampedEvent[] = [...log.after(null)];
    const end = log.subscribe((event) => seen.push(event));
    publish(warning("b"));
    end();
    publish(warning("c"));
    expect(seen.map(({ id }) => id)).toEqual(["1-1", "1-2"]);
  });

  it("drops a subscriber that throws, and names it, and goes on without a disk", () => {
    using scratch = scratchFolder();
    const { log, publish, errors } = open(scratch.file("no/such/folder/events.ndjson"), 1);
    log.subscribe(() => {
      throw new Error("defect");
    });
    publish(warning("a"));
    publish(warning("b"));
    expect(errors).toHaveLength(1);
    expect(messages(log, null)).toEqual(["a", "b"]);
  });
});
