// One coordinator at a time owns a run's folder. The lock is `coordinator.json` in it, and it is also how others find the
// coordinator. A holder on this machine is alive when its process is (by pid and start time); one on another machine is
// taken for alive.
//
// I1. Of several racers for a free or a stale lock exactly one wins: the file appears by link(2).
// I2. Incarnations grow over the life of the folder, also after a clean release: `incarnation` keeps the newest.

import { randomUUID } from "node:crypto";
import { existsSync, linkSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { z } from "zod";
import { PlumeError } from "../errors.ts";

const recordSchema = z.strictObject({
  job: z.string(),
  host: z.string(),
  pid: z.int(),
  /** Field 22 of /proc/<pid>/stat; empty where there is none. Tells a process from a later one of the same pid. */
  startTime: z.string(),
  incarnation: z.int().min(1),
  /** host:port of the coordinator; empty until its server has its port. */
  address: z.string(),
  version: z.string(),
  /** ISO 8601. */
  since: z.string(),
});

export type LockRecord = z.infer<typeof recordSchema>;

export interface RunLock {
  readonly incarnation: number;
  /** Says where the coordinator listens. @throws PlumeError STALE when another one has taken over. */
  announce(address: string): void;
  /** The file on disk is still this holder's. */
  held(): boolean;
  /** Twice is safe; another holder's file is left alone. */
  release(): void;
}

export interface LockFacts {
  readonly host: string;
  /** Null: no such process. Empty: it lives, its start time is unknown. */
  readonly processStartTime: (pid: number) => string | null;
}

export interface Takeover {
  readonly kind: "free" | "stale" | "held";
  readonly reason: string;
}

const LOCK = "coordinator.json";
const INCARNATION = "incarnation";
const ATTEMPTS = 10;

/** May the lock be taken? @param record null when there is no file, or none that can be read. */
export function decideTakeover(record: LockRecord | null, { host, processStartTime }: LockFacts): Takeover {
  if (!record) return { kind: "free", reason: "nobody holds it" };
  const { pid, startTime } = record;
  if (record.host !== host) return { kind: "held", reason: `its holder is on ${record.host}, not on ${host}` };
  const running = processStartTime(pid);
  if (running === null) return { kind: "stale", reason: `process ${pid} is gone` };
  if (running !== "" && startTime !== "" && running !== startTime)
    return { kind: "stale", reason: `process ${pid} is another one now` };
  return { kind: "held", reason: `process ${pid} is alive` };
}

/** @throws PlumeError FAILED_PRECONDITION naming the holder; INVALID_ARGUMENT when the folder cannot be written. */
export function acquireRunLock(folder: string, { job, version }: { job: string; version: string }): RunLock {
  const file = join(folder, LOCK);
  makeFolder(folder);
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const seen = readRecord(file);
    const takeover = decideTakeover(seen, thisMachine);
    if (takeover.kind === "held") throw inUse(folder, seen!);
    if (existsSync(file) && !setAside(file, seen)) continue;
    const incarnation = 1 + Math.max(newestIncarnation(folder), seen?.incarnation ?? 0);
    const mine: LockRecord = {
      job,
      version,
      incarnation,
      host: hostname(),
      pid: process.pid,
      startTime: startTimeOf(process.pid) ?? "",
      address: "",
      since: new Date().toISOString(),
    };
    if (!createFile(file, mine)) continue;
    replaceFile(join(folder, INCARNATION), `${incarnation}\n`);
    return holding(file, mine);
  }
  throw new PlumeError("UNAVAILABLE", `${folder}: others are taking the lock of this run just now`, {
    remedy: "try again",
  });
}

/** What the folder's lock says, for others than its holder; null when there is none that can be read. */
export function readRunLock(folder: string): { readonly record: LockRecord; readonly alive: boolean } | null {
  const record = readRecord(join(folder, LOCK));
  return record && { record, alive: decideTakeover(record, thisMachine).kind === "held" };
}

function holding(file: string, mine: LockRecord): RunLock {
  const held = () => {
    const found = readRecord(file);
    return found !== null && isSame(found, mine);
  };
  return {
    incarnation: mine.incarnation,
    held,
    announce(address) {
      if (!held()) throw new PlumeError("STALE", `${file}: another coordinator has taken over this run`);
      replaceFile(file, JSON.stringify({ ...mine, address }));
    },
    release() {
      if (held()) rmSync(file, { force: true });
    },
  };
}

/** Moves a dead holder's file away. @returns false when it was replaced meanwhile: then nothing has changed. */
function setAside(file: string, seen: LockRecord | null): boolean {
  const aside = `${file}.${randomUUID()}`;
  try {
    renameSync(file, aside);
  } catch {
    return false; // somebody else was faster
  }
  const moved = readRecord(aside);
  const isThatOne = moved === null ? seen === null : seen !== null && isSame(moved, seen);
  if (!isThatOne) createByLink(aside, file);
  rmSync(aside, { force: true });
  return isThatOne;
}

function createFile(file: string, record: LockRecord): boolean {
  const staged = `${file}.${randomUUID()}`;
  writeFileSync(staged, JSON.stringify(record));
  try {
    return createByLink(staged, file);
  } finally {
    rmSync(staged, { force: true });
  }
}

/** link(2) fails where the name exists. */
function createByLink(from: string, to: string): boolean {
  try {
    linkSync(from, to);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
    throw error;
  }
}

function replaceFile(file: string, content: string): void {
  const staged = `${file}.${randomUUID()}`;
  writeFileSync(staged, content);
  renameSync(staged, file);
}

function readRecord(file: string): LockRecord | null {
  try {
    return recordSchema.parse(JSON.parse(readFileSync(file, "utf8")));
  } catch {
    return null;
  }
}

function newestIncarnation(folder: string): number {
  try {
    return Number.parseInt(readFileSync(join(folder, INCARNATION), "utf8"), 10) || 0;
  } catch {
    return 0;
  }
}

const isSame = (a: LockRecord, b: LockRecord) =>
  a.host === b.host && a.pid === b.pid && a.startTime === b.startTime && a.incarnation === b.incarnation;

const thisMachine: LockFacts = { host: hostname(), processStartTime: startTimeOf };

function startTimeOf(pid: number): string | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return fields[0] === "Z" ? null : (fields[19] ?? "");
  } catch {
    return isRunning(pid) ? "" : null;
  }
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}

function makeFolder(folder: string): void {
  try {
    mkdirSync(folder, { recursive: true });
  } catch (error) {
    throw new PlumeError("INVALID_ARGUMENT", `cannot write the run folder ${folder}: ${(error as Error).message}`, {
      remedy: "choose another folder with --out DIR",
      cause: error,
    });
  }
}

function inUse(folder: string, { job, pid, host, since }: LockRecord): PlumeError {
  const here = host === hostname();
  const remedy = `stop that run first (plume ctl stop ${folder}), or choose another folder with --out DIR`;
  return new PlumeError(
    "FAILED_PRECONDITION",
    `${folder} is in use by the coordinator of job ${job} (pid ${pid} on ${host}, since ${since})`,
    { remedy: here ? remedy : `${remedy}; if ${host} is certainly down, delete ${join(folder, LOCK)}` },
  );
}
