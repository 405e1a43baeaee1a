// A cache on this host's disk, shared by its workers: what came out of an object store, or was made of it. Owns files,
// their checksums and their number; knows nothing of stores.
//
// I1. What is read is what was put, or it is not there: every piece has a checksum, a file is whole or absent.
// I2. It may be deleted, in part or as a whole, at any moment: then things are fetched again.
// I3. It never fails a read: where nothing can be kept, everything is fetched.
// I4. Files stay below the bound, with up to 16 processes at work, none of which knows of another: each writes no more
//     than its share of the room that it saw, looks again, and removes what was used longest ago.

import { createHash, randomUUID } from "node:crypto";
import { type FileHandle, mkdir, open, readdir, rename, rm, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { crc32 } from "node:zlib";
import type { ByteRange } from "../store/object-store.ts";

/** The bytes of an entry that is not there. */
type Make = () => Promise<Uint8Array>;

interface CacheCounts {
  readonly hits: number;
  readonly misses: number;
  /** Entries that were not as they were written: removed, and made again. */
  readonly damaged: number;
}

export interface RangeCache {
  /** 0: nothing is kept. */
  readonly maxBytes: number;
  /**
   * A range of an entry, or all of it. The key names the content: other bytes have another key.
   * @param fresh makes the entry again, whatever is there.
   */
  read(key: string, range: ByteRange | undefined, make: Make, fresh?: boolean): Promise<Uint8Array>;
  /** There is an entry of this key; it may be damaged. */
  has(key: string): Promise<boolean>;
  counts(): CacheCounts;
}

/** One checksum for so many bytes: a small range of a large entry costs little. */
const PIECE_BYTES = 16 * 1024;
const MAGIC = 0x31434c50; // "PLC1"
/** Magic, checksum of what follows it in the head, length. */
const FIXED_BYTES = 16;
/** Read at once: the head of an entry of up to 16 MiB, and all of a small one. */
const FIRST_BYTES = 4096 + FIXED_BYTES;
/** Shares of the bound: when to remove, how far, and what a process may write in any case before it looks again. */
const [HIGH, LOW, LOOK] = [7 / 8, 3 / 4, 1 / 128];
const MOST_PROCESSES = 16;
/** Share of the bound that one entry may take. */
const LARGEST = 1 / 8;
/** A file takes whole blocks. */
const BLOCK_BYTES = 4096;
/** An entry's time of use is noted once in so long. */
const TOUCH_MS = 60_000;
/** A half-written file of so long ago has no writer any more. */
const ABANDONED_MS = 600_000;
const PARTIAL = ".partial";

/** All of it stays in the cache once it is there. */
export const holds = ({ maxBytes }: RangeCache, bytes: number): boolean => bytes <= maxBytes * LOW;

/** @param now milliseconds, for the age of files. */
export function openDiskCache(folder: string, maxBytes: number, now: () => number = Date.now): RangeCache {
  const once = onceAtATime();
  const counts = { hits: 0, misses: 0, damaged: 0 };
  let written = 0; // since this process looked
  let allowance = 0; // that it may write until it looks again; it has never looked
  let looking: Promise<void> | null = null;

  const pathOf = (key: string): string => {
    const name = createHash("sha256").update(key).digest("hex");
    return join(folder, name.slice(0, 1), name.slice(1));
  };

  const makeRoom = async (bytes: number): Promise<void> => {
    written += bytes;
    if (written <= allowance) return;
    written = bytes;
    looking ??= evict(folder, maxBytes, bytes, now())
      .then((total) => {
        allowance = Math.max(maxBytes * LOOK, (maxBytes * HIGH - total) / MOST_PROCESSES);
      })
      .finally(() => {
        looking = null;
      });
    await looking;
  };

  const keep = async (path: string, bytes: Uint8Array): Promise<void> => {
    const needed = blocksOf(bytes.length + FIRST_BYTES);
    if (needed > maxBytes * LARGEST) return;
    try {
      await makeRoom(needed);
      await write(path, bytes);
    } catch {
      // I3: a full or read-only disk makes it slow, not wrong.
    }
  };

  return {
    maxBytes,
    async read(key, range, make, fresh = false) {
      const path = pathOf(key);
      const found = fresh || once.has(key) ? "absent" : await readEntry(path, range, now());
      if (typeof found !== "string") {
        counts.hits++;
        return found;
      }
      if (found === "damaged") {
        counts.damaged++;
        await rm(path, { force: true }).catch(() => {});
      }
      counts.misses++;
      const made = await once.run(key, async () => {
        const bytes = await make();
        await keep(path, bytes);
        return bytes;
      });
      return within(made, range);
    },
    has: (key) =>
      stat(pathOf(key)).then(
        () => true,
        () => false,
      ),
    counts: () => ({ ...counts }),
  };
}

/** What is kept in memory where there is no cache on disk. */
const MEMORY_BYTES = 64 << 20;

/** Nothing on disk: the newest entries stay in memory, so that what is made of a large piece is not made for each sample. */
export function noCache(): RangeCache {
  const once = onceAtATime();
  const kept = new Map<string, Uint8Array>();
  const counts = { hits: 0, misses: 0, damaged: 0 };
  let total = 0;

  const keep = (key: string, bytes: Uint8Array): Uint8Array => {
    total += bytes.length - (kept.get(key)?.length ?? 0);
    kept.set(key, bytes);
    for (const [oldest, { length }] of kept) {
      if (total <= MEMORY_BYTES) break;
      kept.delete(oldest);
      total -= length;
    }
    return bytes;
  };

  return {
    maxBytes: 0,
    async read(key, range, make, fresh = false) {
      const known = fresh ? undefined : kept.get(key);
      counts[known ? "hits" : "misses"]++;
      return within(known ?? (await once.run(key, async () => keep(key, await make()))), range);
    },
    has: async () => false,
    counts: () => ({ ...counts }),
  };
}

/** Of several who want the same at once, one makes it. */
function onceAtATime() {
  const making = new Map<string, Promise<Uint8Array>>();
  return {
    has: (key: string) => making.has(key),
    run(key: string, make: Make): Promise<Uint8Array> {
      const made = making.get(key) ?? make().finally(() => making.delete(key));
      making.set(key, made);
      return made;
    },
  };
}

const within = (bytes: Uint8Array, range: ByteRange | undefined): Uint8Array =>
  range ? bytes.subarray(range.start, range.end) : bytes;

const blocksOf = (bytes: number): number => Math.ceil(bytes / BLOCK_BYTES) * BLOCK_BYTES;

async function write(path: string, bytes: Uint8Array): Promise<void> {
  const partial = `${path}.${randomUUID()}${PARTIAL}`;
  try {
    const handle = await openNew(partial);
    try {
      await handle.writev([headOf(bytes), bytes]);
    } finally {
      await handle.close();
    }
    await rename(partial, path);
  } catch (error) {
    await rm(partial, { force: true }).catch(() => {});
    throw error;
  }
}

async function openNew(file: string): Promise<FileHandle> {
  try {
    return await open(file, "wx");
  } catch {
    await mkdir(dirname(file), { recursive: true }); // not there yet, or deleted since
    return await open(file, "wx");
  }
}

/** Magic, checksum of the rest of the head, length of the bytes, a checksum for each of their pieces. */
function headOf(bytes: Uint8Array): Buffer {
  const pieces = Math.ceil(bytes.length / PIECE_BYTES);
  const head = Buffer.alloc(FIXED_BYTES + 4 * pieces);
  head.writeUInt32LE(MAGIC, 0);
  head.writeBigUInt64LE(BigInt(bytes.length), 8);
  for (let k = 0; k < pieces; k++)
    head.writeUInt32LE(crc32(bytes.subarray(k * PIECE_BYTES, (k + 1) * PIECE_BYTES)), FIXED_BYTES + 4 * k);
  head.writeUInt32LE(crc32(head.subarray(8)), 4);
  return head;
}

async function readEntry(
  path: string,
  range: ByteRange | undefined,
  nowMs: number,
): Promise<Uint8Array | "absent" | "damaged"> {
  let handle: FileHandle;
  try {
    handle = await open(path, "r");
  } catch {
    return "absent";
  }
  try {
    const { size, mtimeMs } = await handle.stat();
    const bytes = await readPieces(handle, size, range);
    if (bytes !== null && nowMs - mtimeMs > TOUCH_MS) await handle.utimes(nowMs / 1000, nowMs / 1000);
    return bytes ?? "damaged";
  } catch {
    return "damaged";
  } finally {
    await handle.close();
  }
}

/** @returns null for what was not written by `write`. */
async function readPieces(handle: FileHandle, size: number, range: ByteRange | undefined): Promise<Buffer | null> {
  const first = await readAt(handle, 0, Math.min(size, FIRST_BYTES));
  if (first.length < FIXED_BYTES || first.readUInt32LE(0) !== MAGIC) return null;
  const length = Number(first.readBigUInt64LE(8));
  const headBytes = FIXED_BYTES + 4 * Math.ceil(length / PIECE_BYTES);
  if (size !== headBytes + length) return null;
  const head = first.length >= headBytes ? first.subarray(0, headBytes) : await readAt(handle, 0, headBytes);
  if (crc32(head.subarray(8)) !== head.readUInt32LE(4)) return null;

  const start = Math.min(range?.start ?? 0, length);
  const end = Math.max(start, Math.min(range?.end ?? length, length));
  const [from, to] = [Math.floor(start / PIECE_BYTES), Math.ceil(end / PIECE_BYTES)];
  const [low, high] = [from * PIECE_BYTES, Math.min(length, to * PIECE_BYTES)];
  const there = first.length >= headBytes + high;
  const bytes = there
    ? first.subarray(headBytes + low, headBytes + high)
    : await readAt(handle, headBytes + low, Math.max(0, high - low));
  for (let k = from; k < to; k++) {
    const piece = bytes.subarray(k * PIECE_BYTES - low, Math.min(high, (k + 1) * PIECE_BYTES) - low);
    if (crc32(piece) !== head.readUInt32LE(FIXED_BYTES + 4 * k)) return null;
  }
  return bytes.subarray(start - low, end - low);
}

async function readAt(handle: FileHandle, position: number, length: number): Promise<Buffer> {
  const buffer = Buffer.allocUnsafe(length);
  const { bytesRead } = await handle.read(buffer, 0, length, position);
  return buffer.subarray(0, bytesRead);
}

interface CachedFile {
  readonly path: string;
  readonly bytes: number;
  readonly usedMs: number;
}

/**
 * Which files go so that so many bytes more have room: those used longest ago, down to the low mark. Below the high mark
 * none does.
 */
function decideEviction(files: readonly CachedFile[], maxBytes: number, room: number): readonly CachedFile[] {
  let total = files.reduce((sum, { bytes }) => sum + bytes, room);
  if (total <= maxBytes * HIGH) return [];
  const gone: CachedFile[] = [];
  for (const file of files.toSorted((a, b) => a.usedMs - b.usedMs)) {
    if (total <= maxBytes * LOW) break;
    total -= file.bytes;
    gone.push(file);
  }
  return gone;
}

/** @returns the bytes that are left. */
async function evict(folder: string, maxBytes: number, room: number, nowMs: number): Promise<number> {
  const files: CachedFile[] = [];
  for (const sub of await readdir(folder).catch(() => [])) {
    const names = await readdir(join(folder, sub)).catch(() => []); // deleted since
    const found = await Promise.all(names.map((name) => fileAt(join(folder, sub, name), nowMs)));
    for (const file of found) if (file) files.push(file);
  }
  const gone = decideEviction(files, maxBytes, room);
  for (const { path } of gone) await rm(path, { force: true });
  const total = (some: readonly CachedFile[]) => some.reduce((sum, { bytes }) => sum + bytes, 0);
  return total(files) - total(gone);
}

/** Null for what another process has just removed, and for what no process will finish: that goes now. */
async function fileAt(path: string, nowMs: number): Promise<CachedFile | null> {
  const found = await stat(path).catch(() => null);
  if (!found) return null;
  if (!path.endsWith(PARTIAL) || nowMs - found.mtimeMs <= ABANDONED_MS)
    return { path, bytes: blocksOf(found.size), usedMs: found.mtimeMs };
  await rm(path, { force: true });
  return null;
}
