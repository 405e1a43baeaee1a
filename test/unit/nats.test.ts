import { describe, expect, it } from "vitest";
import { eventText } from "../../coordinator/cli/event-text.ts";
import { decideFeatures } from "../../coordinator/nats/features.ts";
import { decideGap, isLater } from "../../coordinator/nats/gap.ts";
import { createBell, heard } from "../../shared/bell.ts";
import type { StampedEvent } from "../../shared/bus/event-log.ts";
import { errorOf } from "../../shared/control/reply.ts";
import { decodeCommand, decodeEvent, decodeReply, encode } from "../../shared/nats/codec.ts";
import { connectionOptions } from "../../shared/nats/settings.ts";
import {
  type CATEGORIES,
  categoryOf,
  commandSubject,
  eventSubject,
  messageId,
  parseMessageId,
} from "../../shared/nats/subjects.ts";

const stamped = (id: string, event: StampedEvent["event"] = { kind: "warning", message: "" }): StampedEvent => ({
  id,
  atMs: Date.UTC(2026, 10, 27, 10, 0, 1),
  event,
});

/** One of each kind that is kept, with the category that it is published under and a word of its line. */
const KINDS: readonly (readonly [StampedEvent["event"], (typeof CATEGORIES)[number], string])[] = [
  [
    { kind: "phase", phase: "Training", reason: "2 workers ready", step: 4 },
    "lifecycle",
    "Training at step 4: 2 workers ready",
  ],
  [{ kind: "worker", workerId: "w", change: "joined", reason: "new" }, "membership", "w joined: new"],
  [{ kind: "worker", workerId: "w", change: "left", reason: "asked" }, "membership", "w left: asked"],
  [{ kind: "worker", workerId: "w", change: "lost", reason: "its stream broke" }, "failure", "w lost"],
  [{ kind: "worker", workerId: "w", change: "expelled", reason: "silent" }, "failure", "w expelled"],
  [
    { kind: "checkpoint", step: 8, key: "k", bytes: 2e6, seconds: 1, stallSeconds: 0 },
    "checkpoint",
    "step 8, 2.0 MB in 1.00 s",
  ],
  [{ kind: "checkpoint-retry", step: 8, reason: "no", afterSeconds: 2 }, "failure", "again in 2.0 s"],
  [{ kind: "checkpoint-failed", step: 8, reason: "no" }, "failure", "step 8: no"],
  [{ kind: "sample", step: 8, file: "x.png" }, "sample", "x.png"],
  [
    { kind: "recovered", recovery: { kind: "worker", subject: "w", reason: "killed", step: 9, seconds: 1.5, atMs: 0 } },
    "recovery",
    "w after 1.5 s, step 9 is committed: killed",
  ],
  [{ kind: "scale", before: 1, replicas: 3 }, "scale", "from 1 to 3 workers"],
  [{ kind: "command", verb: "pause", by: "NATS", outcome: "done" }, "command", "pause by NATS: done"],
  [{ kind: "warning", message: "look" }, "failure", "look"],
  [{ kind: "end", outcome: "complete", reason: "8 of 8 steps" }, "lifecycle", "complete: 8 of 8 steps"],
];

describe("an event on its way", () => {
  it.each(KINDS)("has a category and a line: %o", (event, category, words) => {
    expect(categoryOf(event)).toBe(category);
    expect(eventText(stamped("1-1", event))).toMatch(/^2026-11-27 10:00:01 {2}\S+ +/);
    expect(eventText(stamped("1-1", event))).toContain(words);
    expect(decodeEvent(encode(stamped("1-1", event)))).toEqual(stamped("1-1", event));
  });

  it("may be of a kind that a newer coordinator knows", () => {
    const newer = decodeEvent(encode(stamped("1-1", { kind: "moved", to: "the moon" } as never)))!;
    expect(eventText(newer)).toContain('"to":"the moon"');
    expect(decodeEvent(new TextEncoder().encode("hello"))).toBeNull();
    expect(decodeEvent(encode({ id: 1 }))).toBeNull();
  });

  it("has an id that tells runs of one name apart, and is not taken for another job's", () => {
    expect(parseMessageId("a", messageId("a", 17, "1-2"))).toEqual({ run: 17, id: "1-2" });
    for (const text of ["", "b/17/1-2", "a/17", "a/x/1-2", "a/17/1-2/3", "a/17/"])
      expect(parseMessageId("a", text)).toBeNull();
    expect(commandSubject("a", "stop")).toBe("plume.a.cmd.stop");
    expect(eventSubject("a", ">")).toBe("plume.a.event.>");
  });
});

describe("what a stream lacks", () => {
  it.each([
    [null, "1-1", 0, false],
    ["1-3", "1-4", 0, false],
    ["1-9", "2-1", 0, false],
    [null, "1-5", 4, false],
    ["1-3", "1-9", 5, false],
    ["1-3", "2-3", 2, true],
  ])("between %s and %s: %d events", (last, next, events, atLeast) => {
    expect(decideGap(last, stamped(next))).toMatchObject({ kind: events > 0 ? "missing" : "none", events, atLeast });
  });

  it("is told by ids that grow over incarnations", () => {
    expect(isLater("1-10", "1-9")).toBe(true);
    expect(isLater("2-1", "1-99")).toBe(true);
    expect(isLater("1-9", "1-9")).toBe(false);
    expect(isLater("1-9", "2-1")).toBe(false);
  });
});

describe("what a server can do", () => {
  it.each([
    ["2.15.2", true, true, "all", "version 2.15.2 with JetStream"],
    ["2.9.10", true, true, "all", "2.9.10"],
    ["3.0.0-beta.1", true, true, "all", "3.0.0"],
    ["2.8.4", true, true, "commands", "its version 2.8.4 is older than 2.9"],
    ["2.15.2", false, true, "commands", "without JetStream"],
    ["1.4.1", false, false, "commands", "older"],
  ])("%s, JetStream %s, headers %s: %s", (version, jetstream, headers, kind, words) => {
    const features = decideFeatures({ version, jetstream, headers });
    expect(features.kind).toBe(kind);
    expect(features.reason).toContain(words);
  });
});

describe("the forms of the wire", () => {
  it("are those of a command, or a refusal", () => {
    expect(decodeCommand(new Uint8Array())).toEqual({ id: "", args: {} });
    expect(decodeCommand(encode({ id: "x" }))).toEqual({ id: "x", args: {} });
    expect(decodeCommand(encode({ id: "x", args: { replicas: 3 } }))).toEqual({ id: "x", args: { replicas: 3 } });
    expect(() => decodeCommand(encode(stamped("1-1")))).toThrow("no object of id and args alone");
  });

  it("carry an error's code, message and remedy, and a code that is not known as a defect", () => {
    const error = { code: "NOT_FOUND", message: "gone", remedy: "look" };
    const reply = decodeReply(encode({ id: "x", verb: "pause", ok: false, error }));
    expect(reply.ok || errorOf(reply)).toMatchObject(error);
    const odd = decodeReply(encode({ id: "x", verb: "pause", ok: false, error: { ...error, code: "__proto__" } }));
    expect(odd.ok || errorOf(odd)).toMatchObject({ code: "INTERNAL", message: "gone" });
    for (const bytes of [encode({}), encode(null), encode({ id: "x", verb: "y", ok: true }), new Uint8Array([255])])
      expect(() => decodeReply(bytes)).toThrow("no coordinator of plume");
  });
});

describe("how a server is reached", () => {
  const options = (...servers: string[]) => connectionOptions({ servers }, "test", {});

  it("may be written in several ways", () => {
    expect(options("nats://a:1", "b", "tls://c", "[::1]:5", "nats://d/").servers).toEqual([
      "a:1",
      "b:4222",
      "c:4222",
      "[::1]:5",
      "d:4222",
    ]);
    expect(options("a").tls).toBeUndefined();
    expect(options("tls://a").tls).toBeDefined();
    expect(options("a").authenticator).toBeUndefined();
    expect(
      connectionOptions({ servers: ["a"] }, "test", { NATS_USER: "me", NATS_PASSWORD: "secret" }).authenticator,
    ).toBeDefined();
  });

  it("never ends for good", () => {
    expect(options("a")).toMatchObject({ maxReconnectAttempts: -1, ignoreAuthErrorAbort: true });
  });
});

describe("a bell", () => {
  it("that rang since it was looked at is not waited for", async () => {
    const bell = createBell();
    const seen = bell.rung;
    bell.ring();
    await heard(bell, seen);
    expect(bell.rung).toBe(1);
  });

  it("wakes whoever waits, or the time does, and keeps nobody who is gone", async () => {
    const bell = createBell();
    const woken = heard(bell, bell.rung);
    bell.ring();
    await woken;
    await heard(bell, bell.rung, 1);
    let rings = 0;
    const stop = bell.on(() => rings++);
    bell.ring();
    stop();
    bell.ring();
    expect(rings).toBe(1);
  });
});
