// One coordinator at a time owns a run's folder. The lock is `coordinator.json` in it, and it is also how others find the
// coordinator. A holder on this machine is alive when its process is (by pid and start time); one on another machine is
// taken for alive.
//
// I1. Of several racers for a free or a stale lock exactly one wins. Each incarnation is claimed by a file of its own,
//     `coordinator.json.claim-N`, which appears by link(2); only a claim whose holder is dead is walked past.
// I2. Incarnations grow over the life of the folder, also after a clean release: `incarnation` keeps the newest.
// I3. A lock is never moved away, only replaced by its claimant: no racer takes a live one off the disk for a moment.
// I4. The winner writes the lock, then `incarnation`, then removes claims: who claims later by what it saw before finds
//     the lock held or its number used, and withdraws.

import { randomUUID } from "node:crypto";
import { linkSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
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
  /** Of its page, without the token; empty where it has none, or not yet. */
  url: z.string().default(""),
  version: z.string(),
  /** ISO 8601. */
  since: z.string(),
});

export type LockRecord = z.infer<typeof recordSchema>;

export interface RunLock {
  readonly incarnation: number;
  /** Says where the coordinator listens, and where its page is. @throws PlumeError STALE when another one has taken over. */
  announce(address: string, url?: string): void;
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
const CLAIM = `${LOCK}.claim-`;
/** How long a racer waits for the one ahead of it to write its lock. */
const ATTEMPTS = 100;
const PAUSE_MS = 5;

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
export function acquireRunLock(folder: string, holder: { job: string; version: string }): RunLock {
  return writable(folder, () => {
    mkdirSync(folder, { recursive: true });
    return acquire(folder, holder);
  });
}

function writable<T>(folder: string, act: () => T): T {
  try {
    return act();
  } catch (error) {
    if (error instanceof PlumeError) throw error;
    throw new PlumeError("INVALID_ARGUMENT", `cannot write the run folder ${folder}: ${(error as Error).message}`, {
      remedy: "choose another folder with --out DIR",
      cause: error,
    });
  }
}

function acquire(folder: string, holder: { job: string; version: string }): RunLock {
  const file = join(folder, LOCK);
  for (let attempt = 1; ; attempt++) {
    const seen = readStrictly(file);
    if (isHeld(seen)) throw inUse(folder, LOCK, seen);
    const { mine, ahead } = claimNext(folder, holder);
    if (mine && isNewest(folder, mine)) {
      replaceFile(file, JSON.stringify(mine));
      replaceFile(join(folder, INCARNATION), `${mine.incarnation}\n`);
      removeClaims(folder, mine.incarnation);
      return holding(file, mine);
    }
    if (mine) rmSync(claimFile(folder, mine.incarnation), { force: true });
    if (attempt >= ATTEMPTS) throw ahead ? inUse(folder, claimName(ahead.incarnation), ahead) : contended(folder);
    pause();
  }
}

interface Claimed {
  readonly mine: LockRecord | null;
  /** The live process that has the claim. */
  readonly ahead: LockRecord | null;
}

/** Claims the next incarnation; those of claimants that died are skipped. Both null: the claim has just gone. */
function claimNext(folder: string, holder: { job: string; version: string }): Claimed {
  for (let incarnation = newestIncarnation(folder) + 1; ; incarnation++) {
    const mine = recordOf(holder, incarnation);
    if (createFile(claimFile(folder, incarnation), mine)) return { mine, ahead: null };
    const other = readStrictly(claimFile(folder, incarnation));
    if (other === "absent") return { mine: null, ahead: null }; // withdrawn: whoever is next gets this number, not one more
    if (isHeld(other)) return { mine: null, ahead: other };
  }
}

/** What this claim was based on may be old: has its incarnation been used, or the lock been taken, meanwhile? */
function isNewest(folder: string, { incarnation }: LockRecord): boolean {
  return !isHeld(readStrictly(join(folder, LOCK))) && newestIncarnation(folder) < incarnation;
}

function removeClaims(folder: string, upTo: number): void {
  for (const name of readdirSync(folder))
    if (name.startsWith(CLAIM) && Number(name.slice(CLAIM.length)) <= upTo) rmSync(join(folder, name), { force: true });
}

const recordOf = ({ job, version }: { job: string; version: string }, incarnation: number): LockRecord => ({
  job,
  version,
  incarnation,
  host: hostname(),
  pid: process.pid,
  startTime: startTimeOf(process.pid) ?? "",
  address: "",
  url: "",
  since: new Date().toISOString(),
});

/**
 * The next holder's incarnation is above this one: a folder that is new may be of a run that is not. Before the lock is taken.
 * @throws PlumeError INVALID_ARGUMENT when the folder cannot be written.
 */
export function raiseIncarnation(folder: string, used: number): void {
  if (used <= 0) return;
  writable(folder, () => {
    mkdirSync(folder, { recursive: true });
    if (newestIncarnation(folder) < used) replaceFile(join(folder, INCARNATION), `${used}\n`);
  });
}

/** What the folder's lock says, for others than its holder; null when there is none that can be read. */
export function readRunLock(folder: string): { readonly record: LockRecord; readonly alive: boolean } | null {
  const record = readRecord(join(folder, LOCK));
  return record && { record, alive: isHeld(record) };
}

function holding(file: string, mine: LockRecord): RunLock {
  const held = () => {
    const found = readRecord(file);
    return found !== null && isSame(found, mine);
  };
  return {
    incarnation: mine.incarnation,
    held,
    announce(address, url = "") {
      if (!held()) throw new PlumeError("STALE", `${file}: another coordinator has taken over this run`);
      replaceFile(file, JSON.stringify({ ...mine, address, url }));
    },
    release() {
      if (held()) rmSync(file, { force: true });
    },
  };
}

/** Appears whole or not at all. @returns false when the name exists. */
function createFile(file: string, record: LockRecord): boolean {
  const staged = `${file}.${randomUUID()}`;
  try {
    writeFileSync(staged, JSON.stringify(record));
    linkSync(staged, file);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
    throw error;
  } finally {
    rmSync(staged, { force: true });
  }
}

function replaceFile(file: string, content: string): void {
  const staged = `${file}.${randomUUID()}`;
  try {
    writeFileSync(staged, content);
    renameSync(staged, file);
  } catch (error) {
    rmSync(staged, { force: true });
    throw error;
  }
}

function readRecord(file: string): LockRecord | null {
  try {
    const found = readStrictly(file);
    return found === "absent" ? null : found;
  } catch {
    return null;
  }
}

/** Null: torn. One read tells absent from torn. @throws where the file is there and cannot be read: it may be live. */
function readStrictly(file: string): LockRecord | null | "absent" {
  const text = readText(file);
  if (text === null) return "absent";
  try {
    return recordSchema.parse(JSON.parse(text));
  } catch {
    return null;
  }
}

function readText(file: string): string | null {
  try {
    return readFileSync(file, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return null;
    throw error;
  }
}

/** The newest that was used, by `incarnation` and by the lock, which a holder that died young leaves ahead of it. */
function newestIncarnation(folder: string): number {
  const lock = readRecord(join(folder, LOCK));
  const kept = Number.parseInt(readText(join(folder, INCARNATION)) ?? "", 10) || 0;
  return Math.max(kept, lock?.incarnation ?? 0);
}

const claimName = (incarnation: number) => `${CLAIM}${incarnation}`;
const claimFile = (folder: string, incarnation: number) => join(folder, claimName(incarnation));

const pause = () => void Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, PAUSE_MS);

const isHeld = (found: LockRecord | null | "absent"): found is LockRecord =>
  found !== "absent" && decideTakeover(found, thisMachine).kind === "held";

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

function inUse(folder: string, name: string, { job, pid, host, since }: LockRecord): PlumeError {
  const here = host === hostname();
  const remedy = `stop that run first (plume ctl stop ${folder}), or choose another folder with --out DIR`;
  return new PlumeError(
    "FAILED_PRECONDITION",
    `${folder} is in use by the coordinator of job ${job} (pid ${pid} on ${host}, since ${since})`,
    { remedy: here ? remedy : `${remedy}; if ${host} is certainly down, delete ${join(folder, name)}` },
  );
}

const contended = (folder: string) =>
  new PlumeError("UNAVAILABLE", `${folder}: others are taking the lock of this run just now`, { remedy: "try again" });
