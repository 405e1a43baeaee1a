// Whether a store keeps I2, found by a race before anything rests on it: servers that speak S3 and ignore If-None-Match,
// or honour it only when nobody else is there, let two runs overwrite each other's checkpoints.

import { PlumeError } from "../errors.ts";
import type { ObjectStore } from "./object-store.ts";

/** Enough that a server which first looks and then writes lets a second one through. */
const RACERS = 8;

type Racing = Pick<ObjectStore, "url" | "putIfAbsent" | "get" | "delete">;

export interface PreflightOptions {
  /** Makes the key of the probe, and the racers' bytes, unlike any other's. */
  readonly id: string;
  /** spec.store.unsafe: warn instead of refusing. */
  readonly unsafe: boolean;
  readonly warn: (message: string) => void;
}

/** @throws PlumeError FAILED_PRECONDITION for a store on which several writers of one key can win; what the store throws. */
export async function checkConditionalPut(store: Racing, { id, unsafe, warn }: PreflightOptions): Promise<void> {
  const fault = await raceOn(store, `preflight-${id}`, id);
  if (fault === null) return;
  const message = `${store.url} does not honour If-None-Match: ${fault}; two runs could overwrite each other's checkpoints`;
  if (unsafe) return warn(`${message} (used because of store.unsafe)`);
  throw new PlumeError("FAILED_PRECONDITION", message, {
    remedy: "use a store that does (AWS S3, MinIO, Ceph, versitygw), or accept the danger with store.unsafe: true",
  });
}

/** Several racers at once and one that is late. @returns what is wrong with the outcome, or null. The probe is removed. */
async function raceOn(store: Racing, key: string, id: string): Promise<string | null> {
  const bytesOf = (racer: number) => new TextEncoder().encode(`${id} racer ${racer}`);
  const race = async (racer: number): Promise<boolean> => {
    try {
      await store.putIfAbsent(key, bytesOf(racer));
      return true;
    } catch (error) {
      if (error instanceof PlumeError && error.code === "ALREADY_EXISTS") return false;
      throw error;
    }
  };
  try {
    // All have an end before the probe is removed, or a straggler would leave it behind.
    const settled = await Promise.allSettled(Array.from({ length: RACERS }, (_, racer) => race(racer)));
    const won = settled.map((one) => {
      if (one.status === "rejected") throw one.reason;
      return one.value;
    });
    const winners = won.flatMap((first, racer) => (first ? [racer] : []));
    if (winners.length !== 1) return `of ${RACERS} writers of one key ${winners.length} won`;
    if (await race(RACERS)) return "a late writer replaced the object that was there";
    const there = await store.get(key);
    return Buffer.compare(there, bytesOf(winners[0]!)) === 0 ? null : "another writer's bytes stand than the winner's";
  } finally {
    await store.delete(key).catch(() => {});
  }
}
