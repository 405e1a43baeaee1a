// A worker's session: joins, proves what it must, then takes leases until it is drained. When the stream breaks, or the
// coordinator falls silent, it comes back with growing pauses on a new connection; what it held is lost with the session,
// and nothing else is.

import { randomUUID } from "node:crypto";
import { readFile } from "node:fs/promises";
import { hostname } from "node:os";
import { join } from "node:path";
import type { ClientDuplexStream } from "@grpc/grpc-js";
import {
  type Lease,
  type Ready,
  type SessionRequest,
  type SessionResponse,
  type Welcome,
  WorkKind,
} from "../proto/gen/plume/v1/training.ts";
import { sleep } from "../shared/clock.ts";
import { PlumeError } from "../shared/errors.ts";
import type { Logger } from "../shared/log.ts";
import { NONCE_FILE } from "../shared/rpc/shm.ts";
import type { Trouble } from "../shared/rpc/tls/trouble.ts";
import type { TrainingClient } from "../shared/rpc/training-service.ts";
import { joinAddress, splitAddress } from "../shared/rpc/transport.ts";

type Outgoing = NonNullable<SessionRequest["message"]>;

/** What a lease's work may tell while it goes on. */
export interface Reports {
  /** One more piece is done, after so many seconds of compute. */
  progress(done: number, seconds: number): void;
  /** Bytes of the parameters that are here. */
  transfer(bytes: number, total: number): void;
  /** Aborted when nobody needs the result any more; what is being handed in goes on, to be compared. */
  readonly revoked: AbortSignal;
  /** Aborted when the session is over: nothing can be sent. */
  readonly closed: AbortSignal;
}

/** The client of the coordinator, or of a port on its host; open as long as the session is. */
type Dial = (port?: number) => TrainingClient;

/** What a session needs from the rest of the worker. */
export interface WorkerEngine {
  /** Makes the worker ready for this job. Called at every welcome; cheap when nothing changed. */
  prepare(welcome: Welcome, dial: Dial, shmFolder: string): Promise<Omit<Ready, "shmNonce">>;
  /** Computes a lease and hands it in. @returns true when the result was taken. */
  work(lease: Lease, reports: Reports): Promise<boolean>;
}

export interface SessionOptions {
  /** host:port of the coordinator. */
  readonly address: string;
  /** A client on a connection of its own: one that was cut or went silent is not used again. */
  readonly connect: (address: string) => TrainingClient;
  /** Why the coordinator cannot be reached, where more can be found out than gRPC says. */
  readonly findTrouble?: (said: string) => Promise<Trouble | null>;
  readonly workerId: string;
  readonly version: string;
  readonly engine: WorkerEngine;
  readonly log: Logger;
  /** Seconds without a coordinator after which the worker gives up. */
  readonly patienceSeconds: number;
  readonly now: () => number;
  readonly onJoined: () => void;
  /** The session is over, whether it was joined or not. */
  readonly onParted: () => void;
  /** A result was taken. */
  readonly onProductive: () => void;
}

type Ending =
  | { readonly kind: "drained"; readonly reason: string }
  | { readonly kind: "broken" | "refused"; readonly reason: string };

const FAREWELL_MS = 1_000;
const SHORTEST_PAUSE_MS = 50;
const LONGEST_PAUSE_MS = 1_000;
/** A coordinator that does not say welcome within this time is not there. */
const WELCOME_MS = 5_000;
/** A leaving worker finishes what it has in hand if that takes no longer. */
const LEAVE_MS = 10_000;
/** After the end of a session the work in hand must have run out. */
const STUCK_MS = 30_000;

/** Before the next try: a tenth of the time without a coordinator. One that was started again is met at once, one that is gone is not pestered. */
export const pauseAfter = (withoutMs: number): number =>
  Math.min(LONGEST_PAUSE_MS, Math.max(SHORTEST_PAUSE_MS, withoutMs / 10));

/** Runs sessions until the coordinator drains the worker or `signal` asks it to leave. @throws PlumeError when it may not come back. */
export async function runSessions(options: SessionOptions, signal: AbortSignal): Promise<string> {
  const { log, now, patienceSeconds } = options;
  const instance = randomUUID();
  let lastContact = now();
  while (true) {
    const ending = await oneSession(options, instance, signal, () => {
      lastContact = now();
    });
    options.onParted();
    if (ending.kind === "drained") return ending.reason;
    if (signal.aborted) return "asked to leave";
    const without = now() - lastContact;
    const trouble = (await options.findTrouble?.(ending.reason)) ?? null;
    const reason = trouble ? `${options.address}: ${trouble.says}` : ending.reason;
    if (without > patienceSeconds * 1000)
      throw new PlumeError("UNAVAILABLE", `no coordinator for ${patienceSeconds} s: ${reason}`, {
        remedy: trouble?.remedy,
      });
    const pause = pauseAfter(without);
    log.warn({ reason, ...(trouble && { remedy: trouble.remedy }), pause }, "session over; coming back");
    await sleep(pause, signal).catch(() => {});
  }
}

/** The other end cannot be reached now; it may be later. */
const isTransient = (error: unknown): error is PlumeError =>
  error instanceof PlumeError && (error.code === "UNAVAILABLE" || error.code === "DEADLINE_EXCEEDED");

async function oneSession(
  options: SessionOptions,
  instance: string,
  signal: AbortSignal,
  /** A word of a coordinator that has let this worker in. */
  onContact: () => void,
): Promise<Ending> {
  const { address, connect, workerId, version, engine, log, now, onJoined, onProductive } = options;
  const client = connect(address);
  const clients = [client];
  const dial: Dial = (port) => {
    if (port === undefined) return client;
    const other = connect(joinAddress(splitAddress(address).host, port));
    clients.push(other);
    return other;
  };
  const stream: ClientDuplexStream<SessionRequest, SessionResponse> = client.session();
  const send = (message: Outgoing) => void (stream.writable && stream.write({ message }));
  const timers: NodeJS.Timeout[] = [];
  const inHand = new Map<number, AbortController>();
  const closed = new AbortController();
  let leases: Promise<void> = Promise.resolve();

  return new Promise<Ending>((resolve, reject) => {
    let over = false;
    let isMember = false;
    let lastHeard = now();
    let silence = WELCOME_MS;

    const close = (settle: () => void) => {
      for (const timer of timers) clearInterval(timer);
      signal.removeEventListener("abort", leave);
      stream.cancel();
      for (const each of clients) each.close();
      settle();
    };
    const end = (ending: Ending) => {
      if (over) return;
      over = true;
      for (const work of inHand.values()) work.abort();
      closed.abort();
      // What is being computed runs out before the next session starts; a device that never answers ends the process.
      const stuck = setTimeout(() => {
        const message = `the device has not answered for ${STUCK_MS / 1000} s; this worker must be started anew`;
        close(() => reject(new PlumeError("INTERNAL", message)));
      }, STUCK_MS);
      leases
        .then(
          () => close(() => resolve(ending)),
          (error) => close(() => (isTransient(error) ? resolve(ending) : reject(error))),
        )
        .finally(() => clearTimeout(stuck));
    };
    /** This worker cannot go on: says why, and gives the words a moment to arrive. */
    const fail = (error: unknown) => {
      if (over) return;
      over = true;
      const known = error instanceof PlumeError;
      const message = String((error as Error)?.message ?? error);
      send({ $case: "failure", value: { code: known ? error.code : "INTERNAL", message } });
      const farewell = setTimeout(() => close(() => reject(error)), FAREWELL_MS);
      stream.once("end", () => {
        clearTimeout(farewell);
        close(() => reject(error));
      });
      stream.end();
    };
    /** Graceful: the block in hand is finished, queued ones are given back, then the stream ends from this side. */
    const leave = () => {
      send({ $case: "leave", value: { reason: "asked to leave" } });
      const bye = () => {
        stream.end();
        timers.push(setTimeout(() => end({ kind: "drained", reason: "asked to leave" }), FAREWELL_MS));
      };
      timers.push(setTimeout(bye, LEAVE_MS));
      leases.then(bye, bye);
    };

    const welcomed = async (welcome: Welcome) => {
      silence = welcome.deadlineMs;
      timers.push(setInterval(() => send({ $case: "heartbeat", value: {} }), welcome.heartbeatMs));
      const shmNonce = welcome.shmFolder
        ? await readFile(join(welcome.shmFolder, NONCE_FILE), "utf8").catch(() => "")
        : "";
      const prepared = await engine.prepare(welcome, dial, shmNonce ? welcome.shmFolder : "");
      send({ $case: "ready", value: { ...prepared, shmNonce } });
      log.info({ incarnation: welcome.incarnation, transport: shmNonce ? "shm" : "grpc", ...prepared }, "ready");
      onJoined();
    };

    const take = (lease: Lease) => {
      const { tuple, lo, hi, kind } = lease;
      const work = new AbortController();
      inHand.set(tuple!.attempt, work);
      const reports: Reports = {
        progress: (done, seconds) => send({ $case: "progress", value: { tuple, lo, hi, done, seconds, kind } }),
        transfer: (bytes, total) => send({ $case: "transfer", value: { bytes, total } }),
        revoked: work.signal,
        closed: closed.signal,
      };
      leases = leases.then(async () => {
        const needed = !over && !work.signal.aborted;
        const taken = needed && (await engine.work(lease, reports));
        if (taken && kind === WorkKind.WORK_KIND_GRADIENT) onProductive();
        if (!taken) reports.progress(0, 0); // the device is free again, whatever came of this lease
      });
      leases
        .finally(() => inHand.delete(tuple!.attempt))
        .catch((error) => (isTransient(error) ? end({ kind: "broken", reason: error.message }) : fail(error)));
    };

    stream.on("data", ({ message }: SessionResponse) => {
      lastHeard = now();
      isMember ||= message?.$case === "welcome";
      if (isMember) onContact();
      switch (message?.$case) {
        case "welcome":
          return void welcomed(message.value).catch(fail);
        case "lease":
          return take(message.value);
        case "revoke":
          return inHand.get(message.value.tuple?.attempt ?? -1)?.abort();
        case "heartbeat":
          return;
        case "drain":
          return end({ kind: "drained", reason: message.value.reason });
        case "refusal":
          if (message.value.retry) return end({ kind: "refused", reason: message.value.message });
          return fail(
            new PlumeError("FAILED_PRECONDITION", `the coordinator refused this worker: ${message.value.message}`, {
              remedy: "mend that where this worker runs, then start it anew",
            }),
          );
      }
    });
    stream.on("error", (error) => end({ kind: "broken", reason: error.message }));
    stream.on("end", () => {
      if (signal.aborted) end({ kind: "drained", reason: "asked to leave" });
      else end({ kind: "broken", reason: "the coordinator ended the stream" });
    });
    // A half-open connection reports nothing: only silence tells.
    timers.push(
      setInterval(() => {
        const silent = now() - lastHeard;
        if (silent > silence) end({ kind: "broken", reason: `nothing heard for ${(silent / 1000).toFixed(1)} s` });
      }, 250),
    );
    signal.addEventListener("abort", leave, { once: true });
    if (signal.aborted) return leave();
    send({ $case: "hello", value: { workerId, host: hostname(), pid: process.pid, plumeVersion: version, instance } });
  });
}
