import { jetstream } from "@nats-io/jetstream";
import { beforeAll, describe, expect, it } from "vitest";
import { openWire } from "../../coordinator/cli/control/target.ts";
import type { StampedEvent } from "../../shared/bus/event-log.ts";
import type { StatusReport } from "../../shared/control/verbs.ts";
import { readSummary } from "../../shared/summary.ts";
import { linesOf, plume, type Running, scratchFolder, startPlume, tinyJob, train, until } from "../support/plume.ts";
import { useNatsServer } from "../support/use-nats-server.ts";

const STEPS = "120";
const server = useNatsServer();
const scratch = scratchFolder();
const out = scratch.file("run");
const ledger = () => linesOf(`${out}/ledger.ndjson`).length;
const kept = () => linesOf(`${out}/events.ndjson`).map((line) => JSON.parse(line) as StampedEvent);

const overNats = () => ["--nats", server().url, "--job", "tiny"];
const ctl = async (...args: string[]) => {
  const { code, stdout, stderr } = await plume("ctl", ...args, "--json");
  expect(code, `${args.join(" ")}\n${stdout}${stderr}`).toBe(0);
  return JSON.parse(stdout);
};
const events = async (...where: string[]) => {
  const { code, stdout, stderr } = await plume("ctl", "events", ...where, "--json");
  expect(code, stderr).toBe(0);
  return stdout
    .split("\n")
    .filter(Boolean)
    .map((line) => JSON.parse(line) as StampedEvent);
};

/** Every name in a document, however deep, in the shape of the document. */
const shapeOf = (value: unknown): unknown => {
  if (Array.isArray(value)) return value.slice(0, 1).map(shapeOf);
  if (value === null || typeof value !== "object") return typeof value;
  return Object.fromEntries(Object.entries(value).map(([name, each]) => [name, shapeOf(each)]));
};

describe("a run that is steered over NATS", () => {
  let job: string;
  let run: Running;
  const start = () => startPlume(["train", "-f", job, "--out", out, "--steps", STEPS, "--set", "workers.max=3"]);

  beforeAll(async () => {
    job = tinyJob(scratch.path, `  nats: { servers: ["${server().url}"] }`);
    run = start();
    await until("three steps", () => ledger() >= 3);
  });

  it("gives the same documents over both wires", async () => {
    expect(await ctl("pause", ...overNats())).toEqual({ alreadyPaused: false });
    expect(await ctl("pause", out)).toEqual({ alreadyPaused: true });
    const [far, near] = [await ctl("status", ...overNats()), await ctl("status", out)] as [StatusReport, StatusReport];
    expect(far).toMatchObject({ job: "tiny", phase: "Paused", steps: Number(STEPS), workers: 2 });
    expect(shapeOf(far)).toEqual(shapeOf(near));
    expect(far.step).toBe(near.step);
    expect(far.decisions).toEqual(near.decisions);
    const { stdout } = await plume("ctl", "status", ...overNats());
    expect(stdout).toContain("Paused");
    const refused = await plume("ctl", "scale", "3", ...overNats());
    expect(refused.code).toBe(2);
    expect(refused.stderr).toContain("the run is paused\n  resume it first");
  });

  it("replays what has happened to whoever comes late, the same over both wires", async () => {
    const far = await events(...overNats());
    const near = await events(out);
    expect(far.map(({ event }) => event.kind)).toEqual(expect.arrayContaining(["phase", "worker", "command"]));
    expect(near.slice(0, far.length)).toEqual(far);
    expect(kept().slice(0, far.length)).toEqual(far);
    const { stdout } = await plume("ctl", "events", ...overNats());
    expect(stdout).toMatch(/command +pause by NATS: done/);
  });

  it("scales, and trains on while its server is dead, and while it is frozen", async () => {
    {
      await using wire = await openWire({ nats: server().url, job: "tiny", timeout: "20" }, undefined);
      expect(await wire.ask("resume", {})).toEqual({ wasPaused: true });
      expect(await wire.ask("scale", { replicas: 3 })).toEqual({ before: 2, replicas: 3 });
      await server().kill();
      const died = ledger();
      await until("the coordinator sees it", () =>
        linesOf(`${out}/events.ndjson`).some((line) => line.includes("is gone")),
      );
      await using direct = await openWire({ timeout: "20" }, out);
      await direct.ask("checkpoint", {});
      await until("ten steps without a server", () => ledger() >= died + 10);
      await server().restart();
      expect(await wire.ask("status", {})).toMatchObject({ job: "tiny", phase: "Training" });
    }
    server().freeze();
    const froze = ledger();
    await until("ten steps with a frozen server", () => ledger() >= froze + 10);
    await using direct = await openWire({ timeout: "20" }, out);
    await direct.ask("pause", {});
    server().thaw();
  });

  it("stops, and is resumed, and whoever follows its events sees the end", async () => {
    expect(await ctl("stop", ...overNats(), "--timeout", "30")).toEqual({ alreadyStopping: false });
    expect((await run.finished).code).toBe(0);
    expect(readSummary(`${out}/summary.json`).outcome).toBe("stopped");
    const before = ledger();
    run = start();
    await until("a step more", () => ledger() > before);
    const following = startPlume(["ctl", "events", ...overNats(), "--follow", "--json"]);
    expect((await run.finished).code).toBe(0);
    const followed = await following.finished;
    expect(followed.stdout).toContain('"kind":"end","outcome":"complete"');
  });

  it("has the bits of a run that NATS knows nothing of", async () => {
    const alone = await train(tinyJob(scratch.path), scratch.file("alone"), "--steps", STEPS);
    const summary = readSummary(`${out}/summary.json`);
    expect(summary).toMatchObject({ outcome: "complete", steps: Number(STEPS) });
    expect(summary.weightsSha256).toBe(alone.weightsSha256);
  });

  it("has left every event in the stream, in its order and once, and its last status in the bucket", async () => {
    const connection = await server().connect();
    const consumer = await jetstream(connection).consumers.get("plume-events-tiny");
    const { num_pending } = await consumer.info();
    const stored: StampedEvent[] = [];
    const ids = new Set<string>();
    for await (const message of await consumer.fetch({ max_messages: num_pending, expires: 5_000 })) {
      stored.push(message.json());
      ids.add(message.headers!.get("Nats-Msg-Id"));
    }
    expect(stored).toEqual(kept());
    expect(ids.size).toBe(stored.length);
    const status = await connection.request("$JS.API.DIRECT.GET.KV_plume-status.$KV.plume-status.tiny");
    expect(status.json()).toMatchObject({
      job: "tiny",
      phase: "Complete",
      step: Number(STEPS),
      atMs: expect.any(Number),
    });
  });
});
