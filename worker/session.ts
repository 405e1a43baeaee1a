// A worker's session: joins, proves what it must, then takes leases until it is drained. When the stream breaks it
// comes back with growing pauses; what it held is lost with the stream, and nothing else is.

import { readFile } from "node:fs/promises";
import { hostname } from "node:os";
import { join } from "node:path";
import type { ClientDuplexStream } from "@grpc/grpc-js";
import type { Lease, SessionRequest, SessionResponse, Welcome } from "../proto/gen/plume/v1/training.ts";
import { sleep } from "../shared/clock.ts";
import { PlumeError } from "../shared/errors.ts";
import type { Logger } from "../shared/log.ts";
import { NONCE_FILE } from "../shared/rpc/shm.ts";
import type { TrainingClient } from "../shared/rpc/training-service.ts";

type Outgoing = NonNullable<SessionRequest["message"]>;

/** What a session needs from the rest of the worker. */
export interface WorkerEngine {
  /** Makes the worker ready for this job. Called at every welcome; cheap when nothing changed. */
  prepare(
    welcome: Welcome,
    shmFolder: string,
  ): Promise<{ backend: string; device: string; numericsClass: string; dataDigest: string; layoutDigest: string }>;
  /** Computes a lease and hands it in. */
  work(lease: Lease, report: (done: number) => void): Promise<void>;
}

export interface SessionOptions {
  readonly client: TrainingClient;
  readonly workerId: string;
  readonly version: string;
  readonly engine: WorkerEngine;
  readonly log: Logger;
  /** Seconds without a coordinator after which the worker gives up. */
  readonly patienceSeconds: number;
  readonly now: () => number;
}

type Ending =
  | { readonly kind: "drained"; readonly reason: string }
  | { readonly kind: "broken" | "refused"; readonly reason: string };

const FAREWELL_MS = 1_000;
const FIRST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 2_000;

/** Runs sessions until the coordinator drains the worker or `signal` asks it to leave. @throws PlumeError when it may not come back. */
export async function runSessions(options: SessionOptions, signal: AbortSignal): Promise<string> {
  const { log, now, patienceSeconds } = options;
  let pause = FIRST_PAUSE_MS;
  let lastContact = now();
  while (true) {
    const ending = await oneSession(options, signal, () => {
      lastContact = now();
      pause = FIRST_PAUSE_MS;
    });
    if (ending.kind === "drained") return ending.reason;
    if (signal.aborted) return "asked to leave";
    if (now() - lastContact > patienceSeconds * 1000)
      throw new PlumeError("UNAVAILABLE", `no coordinator for ${patienceSeconds} s: ${ending.reason}`);
    log.warn({ reason: ending.reason, pause }, "session over; coming back");
    await sleep(pause, signal).catch(() => {});
    pause = Math.min(pause * 2, LONGEST_PAUSE_MS);
  }
}

/** The other end cannot be reached now; it may be later. */
const isTransient = (error: unknown): error is PlumeError =>
  error instanceof PlumeError && (error.code === "UNAVAILABLE" || error.code === "DEADLINE_EXCEEDED");

async function oneSession(
  { client, workerId, version, engine, log }: SessionOptions,
  signal: AbortSignal,
  onWelcome: () => void,
): Promise<Ending> {
  const stream: ClientDuplexStream<SessionRequest, SessionResponse> = client.session();
  const send = (message: Outgoing) => void (stream.writable && stream.write({ message }));
  let heartbeat: NodeJS.Timeout | undefined;
  let leases: Promise<void> = Promise.resolve();

  return new Promise<Ending>((resolve, reject) => {
    let over = false;
    const end = (ending: Ending) => {
      if (over) return;
      over = true;
      clearInterval(heartbeat);
      signal.removeEventListener("abort", leave);
      stream.cancel();
      // What is being computed runs out before the next session starts; its push will be refused as stale.
      leases.then(
        () => resolve(ending),
        (error) => (isTransient(error) ? resolve(ending) : reject(error)),
      );
    };
    /** This worker cannot go on: says why, and gives the words a moment to arrive. */
    const fail = (error: unknown) => {
      if (over) return;
      over = true;
      clearInterval(heartbeat);
      const known = error instanceof PlumeError;
      const message = String((error as Error)?.message ?? error);
      send({ $case: "failure", value: { code: known ? error.code : "INTERNAL", message } });
      const farewell = setTimeout(() => reject(error), FAREWELL_MS);
      stream.once("end", () => {
        clearTimeout(farewell);
        reject(error);
      });
      stream.end();
    };
    /** Graceful: the lease in hand is finished, then the stream ends. */
    const leave = () => {
      send({ $case: "leave", value: { reason: "asked to leave" } });
      leases.catch(() => {}).finally(() => end({ kind: "drained", reason: "asked to leave" }));
    };

    const welcomed = async (welcome: Welcome) => {
      onWelcome();
      heartbeat = setInterval(() => send({ $case: "heartbeat", value: {} }), welcome.heartbeatMs);
      const shmNonce = welcome.shmFolder
        ? await readFile(join(welcome.shmFolder, NONCE_FILE), "utf8").catch(() => "")
        : "";
      const prepared = await engine.prepare(welcome, shmNonce ? welcome.shmFolder : "");
      send({ $case: "ready", value: { ...prepared, shmNonce } });
      log.info({ incarnation: welcome.incarnation, transport: shmNonce ? "shm" : "grpc", ...prepared }, "ready");
    };

    const take = (lease: Lease) => {
      const { tuple, lo, hi } = lease;
      leases = leases.then(() =>
        over ? undefined : engine.work(lease, (done) => send({ $case: "progress", value: { tuple, lo, hi, done } })),
      );
      leases.catch((error) => (isTransient(error) ? end({ kind: "broken", reason: error.message }) : fail(error)));
    };

    stream.on("data", ({ message }: SessionResponse) => {
      switch (message?.$case) {
        case "welcome":
          return void welcomed(message.value).catch(fail);
        case "lease":
          return take(message.value);
        case "revoke":
          return; // the push of a revoked lease is refused as stale
        case "drain":
          return end({ kind: "drained", reason: message.value.reason });
        case "refusal":
          if (message.value.retry) return end({ kind: "refused", reason: message.value.message });
          return fail(
            new PlumeError("FAILED_PRECONDITION", `the coordinator refused this worker: ${message.value.message}`),
          );
      }
    });
    stream.on("error", (error) => end({ kind: "broken", reason: error.message }));
    stream.on("end", () => end({ kind: "broken", reason: "the coordinator ended the stream" }));
    signal.addEventListener("abort", leave, { once: true });
    if (signal.aborted) return leave();
    send({ $case: "hello", value: { workerId, host: hostname(), pid: process.pid, plumeVersion: version } });
  });
}
