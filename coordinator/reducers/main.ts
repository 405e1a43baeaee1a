// A reducer process: some shards of every vector, the threads that compute on them, and a port where workers pull and
// push those shards. It decides nothing: the coordinator, whose child it is, orders every kernel, and without its
// coordinator it ends.

import { parseArgs } from "node:util";
import type { ServerWritableStream, sendUnaryData } from "@grpc/grpc-js";
import {
  type PullRequest,
  type PullResponse,
  PushOutcome,
  type PushResponse,
} from "../../proto/gen/plume/v1/training.ts";
import { describeError, PlumeError } from "../../shared/errors.ts";
import { invariant } from "../../shared/invariant.ts";
import { addressesOf } from "../../shared/kernels/group.ts";
import { type LocalGroup, openLocalGroup } from "../../shared/kernels/local-group.ts";
import { EMA, PARAMS } from "../../shared/kernels/open-reducer.ts";
import { createLog, type Logger, silentLog } from "../../shared/log.ts";
import { toServiceError } from "../../shared/rpc/call.ts";
import { planeOfEnvironment } from "../../shared/rpc/tls/plane.ts";
import { trainingService } from "../../shared/rpc/training-service.ts";
import { splitAddress } from "../../shared/rpc/transport.ts";
import { handlePull, type PullSource } from "../rpc/pull.ts";
import { openPush, type PushCall, pushKey } from "../rpc/push.ts";
import { bindServer } from "../rpc/server.ts";
import { createLandings, type Landings } from "./landings.ts";
import type { ReducerInit, ReducerReply, ReducerRequest, Unnumbered } from "./messages.ts";
import { createReducerMeter } from "./monitor.ts";

type Answer = Unnumbered<ReducerReply>;

const { values } = parseArgs({ options: { index: { type: "string" }, run: { type: "string" } } });

interface Opened {
  readonly group: LocalGroup;
  readonly landings: Landings;
  /** What workers must name. */
  readonly of: { job: string; incarnation: number; version: number };
}

const meter = createReducerMeter();
/** The run has a folder for it only once the coordinator has found everything to be right. */
let log: Logger = silentLog;

async function open({ listen, shards, threads }: ReducerInit) {
  const group = openLocalGroup(shards, threads);
  const addresses = addressesOf(shards, group.threads);
  const landings = createLandings();
  const source: Opened["of"] & PullSource = {
    job: "",
    incarnation: 0,
    version: -1,
    bytes(vector, index) {
      const shard = shards.find((each) => each.index === index);
      const pointer = shard && addresses.pointer(vector === "ema" ? EMA : PARAMS, shard);
      return shard && group.view({ shard: index, pointer: pointer!, bytes: shard.size * 4 });
    },
    onSent: (_, bytes) => meter.moved("out", bytes),
  };
  const plane = planeOfEnvironment((reason) => log.warn({ reason }, "changed certificates are not taken up"));
  const { server, address } = await bindServer(listen, plane, (reason) =>
    log.warn({ reason }, "a connection was refused"),
  );
  server.addService(trainingService, {
    session: (call: { emit(event: "error", error: unknown): void }) =>
      call.emit("error", toServiceError(new PlumeError("INVALID_ARGUMENT", "a reducer holds no sessions", ELSEWHERE))),
    pull: (call: ServerWritableStream<PullRequest, PullResponse>) => void handlePull(source, call),
    push: (call: PushCall, respond: sendUnaryData<PushResponse>) => void takePush(landings, call, respond),
  });
  const opened: Opened = { group, landings, of: source };
  return { opened, port: splitAddress(address).port };
}

async function takePush(landings: Landings, call: PushCall, respond: sendUnaryData<PushResponse>): Promise<void> {
  const gone = new AbortController();
  call.once("cancelled", () => gone.abort());
  try {
    const { header, chunks } = await openPush(call);
    await landings.arrive(pushKey(header), chunks, gone.signal);
    respond(null, { outcome: PushOutcome.PUSH_OUTCOME_ACCEPTED, reason: "" });
  } catch (error) {
    respond(toServiceError(error));
  }
}

let opened: Opened | null = null;
/** Fills that wait for their push, by its key. */
const waiting = new Map<string, AbortController>();

async function answer(request: ReducerRequest): Promise<Answer> {
  if (request.kind === "open") {
    const made = await open(request.init);
    opened = made.opened;
    return { kind: "opened", port: made.port, threads: opened.group.threads };
  }
  invariant(opened, "a reducer is opened first");
  const { group, landings, of } = opened;
  switch (request.kind) {
    case "join":
      of.job = request.run.job;
      of.incarnation = request.run.incarnation;
      log = createLog(
        { role: "reducer", reducer: values.index! },
        { file: request.run.logFile, facts: () => ({ job: of.job, incarnation: of.incarnation, step: of.version }) },
      );
      log.info({ shards: group.shards.map(({ index }) => index), threads: group.threads }, "joined");
      return { kind: "joined", metricsPort: await meter.join(request.run, values.index!, log) };
    case "serve":
      of.version = request.version;
      return { kind: "done" };
    case "reserve":
      group.reserve(request.count);
      return { kind: "done" };
    case "run":
      return { kind: "results", results: await timed(group, request.calls) };
    case "fill": {
      const { regions, source } = request;
      if (source.kind !== "push") return filled(await group.fill(regions, source));
      const { key } = source;
      const forgotten = new AbortController();
      waiting.set(key, forgotten);
      const land = (chunks: AsyncIterable<Uint8Array>) => group.fill(regions, { kind: "chunks", chunks });
      try {
        return filled(await landings.expect(key, land, forgotten.signal));
      } finally {
        if (waiting.get(key) === forgotten) waiting.delete(key);
      }
    }
    case "forget":
      waiting.get(request.key)?.abort();
      return { kind: "done" };
    case "save":
      await group.save(request.regions, request.file);
      return { kind: "done" };
  }
}

const ELSEWHERE = { remedy: "dial the coordinator: its address is in coordinator.json of the run's folder" };

function filled(bytes: number): Answer {
  meter.moved("in", bytes);
  return { kind: "filled", bytes };
}

async function timed(group: LocalGroup, calls: Parameters<LocalGroup["run"]>[0]) {
  const started = performance.now();
  const results = await group.run(calls);
  meter.ran(calls.flat().length, (performance.now() - started) / 1000);
  return results;
}

process.on("message", (request: ReducerRequest) => {
  const reply = (message: Answer) => process.send?.({ ...message, id: request.id });
  answer(request).then(reply, (error) => {
    const code = error instanceof PlumeError ? error.code : "INTERNAL";
    if (code !== "STALE") log.warn({ request: request.kind, reason: describeError(error) }, "refused");
    reply({ kind: "error", code, message: error?.message ?? String(error), remedy: error?.remedy });
  });
});
process.on("disconnect", () => process.exit(0));
// A terminal sends Ctrl-C to the whole group; the coordinator decides what it means.
process.on("SIGINT", () => {});
process.on("SIGTERM", () => {});
