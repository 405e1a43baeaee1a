// A worker's sessions against a coordinator that is played: what it says, and when it is silent. Unlike the real one's, its
// stream never breaks half-way through a message, never pushes back, and takes no calls beside the session.

import { Duplex } from "node:stream";
import { describe, expect, it } from "vitest";
import type { SessionResponse } from "../../proto/gen/plume/v1/training.ts";
import { silentLog } from "../../shared/log.ts";
import type { TrainingClient } from "../../shared/rpc/training-service.ts";
import { pauseAfter, runSessions } from "../../worker/session.ts";

type Says = NonNullable<SessionResponse["message"]>;

const WELCOME = { $case: "welcome", value: { deadlineMs: 5000, heartbeatMs: 1000, shmFolder: "" } } as unknown as Says;
const HEARTBEAT = { $case: "heartbeat", value: {} } as Says;
const DRAIN = { $case: "drain", value: { reason: "the run is over" } } as Says;

/** Each session plays the next script: words, and steps of time in milliseconds; then the stream breaks. */
function play(patienceSeconds: number, ...scripts: (Says | number)[][]) {
  let nowMs = 0;
  let sessions = 0;
  const connect = () => {
    const script = scripts[sessions++] ?? [];
    const stream = new Duplex({ objectMode: true, read() {}, write: (_chunk, _encoding, done) => done() });
    const going = async () => {
      for (const each of script) {
        await new Promise((resolve) => setImmediate(resolve));
        if (typeof each === "number") nowMs += each;
        else stream.push({ message: each });
      }
      await new Promise((resolve) => setTimeout(resolve, 5));
      stream.destroy(new Error("cut"));
    };
    void going();
    const session = Object.assign(stream, { cancel() {} });
    return { session: () => session, close() {} } as unknown as TrainingClient;
  };
  const engine = { prepare: async () => ({}) as never, work: async () => true };
  const options = {
    address: "here:1",
    connect,
    workerId: "w",
    version: "1",
    engine,
    log: silentLog,
    patienceSeconds,
    now: () => nowMs,
  };
  const ended = runSessions(
    { ...options, onJoined() {}, onParted() {}, onProductive() {} },
    new AbortController().signal,
  );
  return ended.then((reason) => ({ reason, sessions }));
}

const HOUR = 3_600_000;

describe("a worker's sessions", () => {
  it("go on after a break, however long the one before lasted", async () => {
    const { reason, sessions } = await play(300, [WELCOME, HOUR, HEARTBEAT], [WELCOME, DRAIN]);
    expect(reason).toBe("the run is over");
    expect(sessions).toBe(2);
  });

  it("end when no coordinator was there for longer than the worker's patience", async () => {
    await expect(play(300, [WELCOME, 1000], [301_000])).rejects.toThrow("no coordinator for 300 s");
  });

  it("are tried again after a tenth of the time without a coordinator, within bounds", () => {
    expect([0, 100, 1000, 5000, HOUR].map(pauseAfter)).toEqual([50, 50, 100, 500, 1000]);
  });
});
