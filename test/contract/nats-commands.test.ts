// Commands over a real server: typed answers, one at the most, and nothing that comes over the wire is the end of anything.

import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { natsWire } from "../../coordinator/cli/control/nats-wire.ts";
import { natsFinding } from "../../coordinator/cli/nats-finding.ts";
import { createNats } from "../../coordinator/nats/onlooker.ts";
import type { Onlooker } from "../../coordinator/onlooker.ts";
import { createBell, heard } from "../../shared/bell.ts";
import type { ControlReply } from "../../shared/control/verbs.ts";
import { VERBS } from "../../shared/control/verbs.ts";
import { ERROR_CODES } from "../../shared/errors.ts";
import { LONGEST_COMMAND } from "../../shared/nats/codec.ts";
import { startNatsServer } from "../support/nats-server.ts";
import { scratchFolder } from "../support/plume.ts";
import { pause } from "../support/processes.ts";
import { openTestRun, type TestRun } from "../support/run-view.ts";
import { useNatsServer } from "../support/use-nats-server.ts";

const JOB = "steered";
const server = useNatsServer();
const scratch = scratchFolder();
let run: TestRun;
let onlooker: Onlooker;

beforeAll(async () => {
  run = openTestRun({ folder: scratch.path, name: JOB, spec: { nats: { servers: [server().url] } } });
  onlooker = createNats({ recovering: false, epochMs: Date.now });
  await onlooker.open(run.view.job);
  await onlooker.attach(run.view);
});
afterAll(async () => {
  await onlooker?.close();
  scratch[Symbol.dispose]();
});

/** All answers that come to one message. */
async function answersTo(verb: string, payload: Uint8Array | string): Promise<ControlReply[]> {
  const connection = await server().connect();
  const inbox = `_INBOX.test.${Math.random().toString(36).slice(2)}`;
  const answers: ControlReply[] = [];
  connection.subscribe(inbox, { callback: (_, message) => void answers.push(message.json()) });
  connection.publish(`plume.${JOB}.cmd.${verb}`, payload, { reply: inbox });
  while (answers.length === 0) await pause(5);
  await pause(20);
  await connection.close();
  return answers;
}

const wire = (job = JOB, timeoutMs = 5_000) => natsWire({ settings: { servers: [server().url] }, job, timeoutMs });

describe("a command over NATS", () => {
  it("is carried out once and answered once, and with the same id answered again and not carried out again", async () => {
    const request = JSON.stringify({ id: "scale-1", args: { replicas: 4 } });
    const [first] = await answersTo("scale", request);
    expect(first).toEqual({ id: "scale-1", verb: "scale", ok: true, result: { before: 1, replicas: 4 } });
    expect(await answersTo("scale", request)).toEqual([first]);
    expect(run.done.filter((each) => each === "scale 4")).toHaveLength(1);
  });

  it("without an id changes nothing; a status needs none", async () => {
    const before = run.done.length;
    expect(await answersTo("stop", "")).toMatchObject([{ ok: false, error: { code: "INVALID_ARGUMENT" } }]);
    expect(await answersTo("status", "")).toMatchObject([{ ok: true, result: { job: JOB, step: 3 } }]);
    expect(run.done.length).toBe(before);
  });

  it.each([
    ["an unknown verb", "explode", '{"id":"1"}', '"explode" is no command'],
    ["what is no JSON", "pause", "{", "is no JSON"],
    ["what is no UTF-8", "pause", Uint8Array.from([0x22, 0xff, 0x22]), "is no JSON"],
    ["what is no object", "pause", "[1]", "is no object of id and args alone"],
    ["more than id and args", "pause", '{"id":"1","atMs":3,"event":{}}', "is no object of id and args alone"],
    ["an id that is no text", "pause", '{"id":1}', "is no object of id and args alone"],
    ["arguments that it does not take", "pause", '{"id":"2","args":{"now":true}}', "pause: "],
    ["a number that cannot be", "scale", '{"id":"3","args":{"replicas":-1}}', "scale: replicas"],
    ["too much", "pause", new Uint8Array(LONGEST_COMMAND + 1), "65536 are the most"],
  ])("is refused with what to do: %s", async (_, verb, payload, words) => {
    const [answer, ...more] = await answersTo(verb, payload);
    expect(more).toEqual([]);
    expect(answer).toMatchObject({ ok: false, error: { code: "INVALID_ARGUMENT", remedy: expect.any(String) } });
    expect(JSON.stringify(answer)).toContain(words.replaceAll('"', '\\"'));
  });

  it("may be anything: thousands of subjects and payloads get one typed answer each, and the next command is heard", async () => {
    const connection = await server().connect();
    const before = run.done.length;
    const json = fc.json({ maxDepth: 4 }).map((text) => new TextEncoder().encode(text));
    const close = fc.record(
      { id: fc.oneof(fc.string(), fc.integer()), args: fc.anything(), extra: fc.anything() },
      { requiredKeys: [] },
    );
    const payload = fc.oneof(
      fc.uint8Array({ maxLength: 300 }),
      json,
      close.map((value) => new TextEncoder().encode(safeJson(value))),
    );
    const token = fc.stringMatching(/^[!-)+-\-/-=?-~]{1,40}$/); // no space, dot, star or greater-than
    const verb = fc.oneof(fc.constantFrom(...Object.keys(VERBS), "__proto__", "constructor", "toString"), token);
    await fc.assert(
      fc.asyncProperty(fc.array(fc.tuple(verb, payload), { minLength: 48, maxLength: 60 }), async (messages) => {
        const answers = await Promise.all(
          messages.map(([name, bytes]) =>
            connection
              .request(`plume.${JOB}.cmd.${name}`, bytes, { timeout: 20_000 })
              .then((message) => message.json()),
          ),
        );
        for (const answer of answers as ControlReply[])
          if (!answer.ok) expect(Object.keys(ERROR_CODES)).toContain(answer.error.code);
      }),
      { numRuns: 210 },
    );
    // Of what was sent, only what has the form of a command and an id was carried out.
    expect(run.done.slice(before).every((each) => /^(pause|resume|stop|checkpoint|scale \d+)$/.test(each))).toBe(true);
    expect(await answersTo("status", "")).toMatchObject([{ ok: true }]);
  });

  it("is refused, not queued, while too many are under way", async () => {
    const connection = await server().connect();
    const saved = createBell();
    run.before.checkpoint = heard(saved, 0);
    const replies: ControlReply[] = [];
    for (let i = 0; i < 100; i++)
      void connection
        .request(`plume.${JOB}.cmd.checkpoint`, `{"id":"many-${i}"}`, { timeout: 20_000 })
        .then((message) => void replies.push(message.json()));
    while (replies.length < 36) await pause(5);
    expect(replies.map((reply) => !reply.ok && reply.error.code)).toEqual(Array(36).fill("RESOURCE_EXHAUSTED"));
    saved.ring();
    while (replies.length < 100) await pause(5);
    expect(replies.filter(({ ok }) => ok)).toHaveLength(64);
  });
});

describe("a second run of the same name", () => {
  it("says that it hears what is meant for the first, which goes on; one that takes another's place says nothing", async () => {
    const first = openTestRun({ folder: scratch.path, name: "twin", spec: { nats: { servers: [server().url] } } });
    const second = openTestRun({ folder: scratch.path, name: "twin", spec: { nats: { servers: [server().url] } } });
    const onlookers = [first, second, first].map(() => createNats({ recovering: false, epochMs: Date.now }));
    for (const [i, { view }] of [first, second].entries()) {
      await onlookers[i]!.open(view.job);
      await onlookers[i]!.attach(view);
      if (i === 1) await expect.poll(() => second.warnings.length).toBe(1);
    }
    expect(first.warnings).toEqual([]);
    expect(second.warnings[0]).toMatch(/another run on the NATS server .* is named twin.*another metadata\.name/);
    await onlookers[0]!.close();
    await onlookers[1]!.close();
    await onlookers[2]!.open(first.view.job);
    await onlookers[2]!.attach(first.view);
    first.publish({ kind: "warning", message: "the last" });
    await pause(500);
    expect(first.warnings).toEqual(["the last"]);
    await onlookers[2]!.close();
  });
});

describe("plume ctl over NATS", () => {
  it("says that nobody listens to a job of that name", async () => {
    await using nobody = await wire("nobody");
    await expect(nobody.ask("status", {})).rejects.toMatchObject({
      code: "UNAVAILABLE",
      message: `no coordinator of job nobody listens on ${server().url}`,
    });
    await expect(
      nobody.events(false, new AbortController().signal)[Symbol.asyncIterator]().next(),
    ).rejects.toMatchObject({
      code: "NOT_FOUND",
      message: `${server().url} has no events of a job nobody`,
    });
  });

  it("gives up at its deadline when an answer never comes, and had sent the command again with its id", async () => {
    const connection = await server().connect();
    const ids: string[] = [];
    connection.subscribe("plume.deaf.cmd.pause", {
      callback: (_, message) => void ids.push(message.json<{ id: string }>().id),
    });
    await connection.flush();
    await using deaf = await wire("deaf", 6_000);
    await expect(deaf.ask("pause", {})).rejects.toMatchObject({
      code: "DEADLINE_EXCEEDED",
      message: `the coordinator of job deaf has not answered pause on ${server().url} for 6 s`,
    });
    expect(ids.length).toBeGreaterThan(1);
    expect(new Set(ids).size).toBe(1);
  });

  it("does not take for an answer what is none", async () => {
    const connection = await server().connect();
    connection.subscribe("plume.odd.cmd.*", { callback: (_, message) => void message.respond("hello") });
    await connection.flush();
    await using odd = await wire("odd");
    await expect(odd.ask("status", {})).rejects.toThrow("what answers is no coordinator of plume");
  });

  it("gets its answer over a server that was killed meanwhile, and the command was carried out once", async () => {
    using folder = scratchFolder();
    await using shaky = await startNatsServer();
    const slow = openTestRun({ folder: folder.path, name: "slow", spec: { nats: { servers: [shaky.url] } } });
    const own = createNats({ recovering: false, epochMs: Date.now });
    await own.open(slow.view.job);
    await own.attach(slow.view);
    await using ctl = await natsWire({ settings: { servers: [shaky.url] }, job: "slow", timeoutMs: 30_000 });
    await shaky.kill();
    const asked = ctl.ask("checkpoint", {});
    await pause(200);
    await shaky.restart();
    expect(await asked).toEqual({ step: 7 });
    expect(slow.done).toEqual(["checkpoint"]);
    await own.close();
  });
});

it("plume doctor says whether a server answers, its version, and whether it keeps events", async () => {
  expect(await natsFinding(server().url, {})).toMatchObject({
    state: "ok",
    detail: `${server().address} answers, version 2.15.2, with JetStream`,
  });
  expect(await natsFinding(undefined, {})).toMatchObject({ state: "ok", detail: expect.stringContaining("no server") });
  await using plain = await startNatsServer({ jetstream: false });
  expect(await natsFinding(undefined, { NATS_URL: plain.url })).toMatchObject({
    state: "missing",
    detail: expect.stringContaining("without JetStream"),
    remedy: expect.stringContaining("-js"),
  });
  await plain.kill();
  expect(await natsFinding(plain.url, {})).toMatchObject({
    state: "bad",
    detail: expect.stringContaining("cannot be reached"),
  });
});

/** Of anything at all: what JSON cannot say is left out. */
function safeJson(value: unknown): string {
  try {
    return JSON.stringify(value, (_, each) => (typeof each === "bigint" ? `${each}` : each)) ?? "";
  } catch {
    return "";
  }
}
