// K reducer processes as groups of shards: shard s lives in process s mod K. Starts them, and ends with them: a reducer
// that dies or does not answer has vectors that nobody else has, so the coordinator goes on from its newest snapshot.

import { type ChildProcess, spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { counted } from "../../shared/counted.ts";
import { OTHER_VERSION, PlumeError } from "../../shared/errors.ts";
import type { Region, ShardGroup } from "../../shared/kernels/group.ts";
import { createRequests } from "../../shared/requests.ts";
import { entry } from "../../shared/root.ts";
import { joinAddress } from "../../shared/rpc/transport.ts";
import type { Layout, Shard } from "../../shared/tensor/layout.ts";
import { type PlacedRegion, readRegions, writeRegions } from "../../shared/tensor/regions.ts";
import type { ReducerInit, ReducerReply, ReducerRequest, ReducerRun, Unnumbered } from "./messages.ts";

export interface ReducerProcesses {
  readonly groups: readonly ShardGroup[];
  /** Where workers reach them, by number. */
  readonly ports: readonly number[];
  /** They belong to this run from now on. @returns the ports of their metrics, 0 for none. */
  join(run: Omit<ReducerRun, "logFile">, logFile: (index: number) => string): Promise<readonly number[]>;
  /** Pulls get the vectors as they are now, as this version. */
  serve(version: number): Promise<void>;
}

export interface ReducerProcessesOptions {
  /** The run's folder, by which an operator knows the processes. */
  readonly out: string;
  /** Their ports are on this host. */
  readonly host: string;
  readonly layout: Layout;
  /** How many processes: at most one a shard. */
  readonly count: number;
  /** Kernel threads of all together. */
  readonly threads: number;
  /** One is gone, or does not answer: the vectors are lost. */
  readonly onLost: (error: PlumeError) => void;
}

/** No order takes longer: a process that has not answered by then never will. */
const ANSWER_MS = 60_000;

/** @throws PlumeError INVALID_ARGUMENT when the layout has fewer shards than processes are wanted. */
export function checkReducers(layout: Layout, count: number): void {
  const { length } = layout.shards;
  if (count <= length) return;
  const mib = ((layout.size * 4) / 2 ** 20).toFixed(1);
  const remedy = length === 1 ? "leave the field out" : `use at most ${length}`;
  throw new PlumeError(
    "INVALID_ARGUMENT",
    `spec.coordinator.shards ${count}: the parameters, ${mib} MiB, make ${counted(length, "shard")}, and a process with none has nothing to do`,
    { remedy },
  );
}

export async function startReducers(options: ReducerProcessesOptions): Promise<ReducerProcesses> {
  const { layout, count, threads, host, out, onLost } = options;
  const links = Array.from({ length: count }, (_, index) => startProcess(index, out, onLost));
  const opened = await Promise.all(
    links.map(async (link, index) => {
      const shards = layout.shards.filter((shard) => shard.index % count === index);
      const init: ReducerInit = {
        listen: joinAddress(host, 0),
        shards,
        threads: Math.max(1, Math.floor(threads / count)),
      };
      const reply = await link.ask<"opened">({ kind: "open", init });
      return { port: reply.port, group: groupOf(link, shards, reply.threads) };
    }),
  );
  return {
    groups: opened.map(({ group }) => group),
    ports: opened.map(({ port }) => port),
    async join(run, logFile) {
      const join = (k: number) => ({ kind: "join", run: { ...run, logFile: logFile(k) } }) as const;
      const joined = await Promise.all(links.map(({ ask }, k) => ask<"joined">(join(k))));
      return joined.map(({ metricsPort }) => metricsPort);
    },
    async serve(version) {
      await Promise.all(links.map(({ ask }) => ask({ kind: "serve", version })));
    },
  };
}

type Asked = Unnumbered<ReducerRequest>;
type Reply<K extends ReducerReply["kind"]> = Extract<ReducerReply, { kind: K }>;

interface Link {
  ask<K extends ReducerReply["kind"] = "done">(request: Asked): Promise<Reply<K>>;
  close(): Promise<void>;
}

function groupOf({ ask, close }: Link, shards: readonly Shard[], threads: number): ShardGroup {
  // A group that cannot grow says so when it is used.
  const quietly = (request: Asked) => void ask(request).catch(() => {});
  const through = async <T>(body: (file: string) => Promise<T>): Promise<T> => {
    const file = join(tmpdir(), `plume-shard-${randomUUID()}`);
    try {
      return await body(file);
    } finally {
      await rm(file, { force: true });
    }
  };
  const group: ShardGroup = {
    shards,
    threads,
    reserve: (vectors) => quietly({ kind: "reserve", count: vectors }),
    run: async (calls) => [...(await ask<"results">({ kind: "run", calls })).results],

    async fill(regions, source, signal) {
      if (source.kind === "chunks")
        throw new PlumeError(
          "INVALID_ARGUMENT",
          "this run's gradients go to its reducers, not to its coordinator",
          OTHER_VERSION,
        );
      const forget = () => source.kind === "push" && quietly({ kind: "forget", key: source.key });
      const filling = ask<"filled">({ kind: "fill", regions, source });
      if (signal?.aborted) forget();
      signal?.addEventListener("abort", forget, { once: true });
      try {
        return (await filling).bytes;
      } finally {
        signal?.removeEventListener("abort", forget);
      }
    },
    async save(regions, file) {
      await ask({ kind: "save", regions, file });
    },
    read: (regions, into) =>
      through(async (file) => {
        await group.save(regions, file);
        await readRegions(file, placedIn(into, regions));
      }),
    write: (regions, bytes) =>
      through(async (file) => {
        await writeRegions(file, placedIn(bytes, regions));
        await group.fill(regions, { kind: "file", file });
      }),
    [Symbol.asyncDispose]: close,
  };
  return group;
}

/** Where regions lie in a buffer, for a file in which they have the same positions. */
const placedIn = (bytes: Uint8Array, regions: readonly Region[]): PlacedRegion[] =>
  regions.map(({ position, bytes: length }) => ({ region: bytes.subarray(position, position + length), position }));

function startProcess(index: number, out: string, onLost: (error: PlumeError) => void): Link {
  const { file, execArgv } = entry("reducer");
  const child: ChildProcess = spawn(
    process.execPath,
    [...execArgv, file, "--index", String(index), "--run", out],
    // bigint in messages
    { stdio: ["ignore", "inherit", "inherit", "ipc"], serialization: "advanced" },
  );
  const requests = createRequests<ReducerReply>();
  let over = false;
  const lost = (error: PlumeError) => {
    if (over) return;
    over = true;
    requests.end(error);
    onLost(error);
  };
  child.on("error", (cause) =>
    lost(new PlumeError("INTERNAL", `reducer ${index} cannot start: ${cause.message}`, { cause })),
  );
  child.on("exit", (code, signal) => {
    const how = signal ? `was killed (${signal})` : `ended with code ${code}`;
    lost(new PlumeError("UNAVAILABLE", `reducer ${index} ${how}`));
  });
  child.on("message", (reply: ReducerReply) => {
    if (reply.kind === "error") requests.reject(reply.id, new PlumeError(reply.code, reply.message, reply));
    else requests.resolve(reply.id, reply);
  });
  const late = () => {
    lost(new PlumeError("UNAVAILABLE", `reducer ${index} has not answered for ${ANSWER_MS / 1000} s`));
    child.kill("SIGKILL");
  };

  return {
    async ask<K extends ReducerReply["kind"]>(request: Asked) {
      // A push comes when its worker sends it; everything else is the process's own work.
      const patient = request.kind === "fill" && request.source.kind === "push";
      const timer = patient ? undefined : setTimeout(late, ANSWER_MS);
      try {
        return (await requests.ask((id) => void child.send({ ...request, id }))) as Reply<K>;
      } finally {
        clearTimeout(timer);
      }
    },
    async close() {
      if (over) return;
      over = true;
      requests.end(new PlumeError("UNAVAILABLE", "the reducer is closed"));
      const exited = new Promise((resolve) => child.once("exit", resolve));
      child.disconnect();
      await exited;
    },
  };
}
