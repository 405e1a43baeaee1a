import { describe, expect, it } from "vitest";
import { PlumeError } from "../../shared/errors.ts";
import { memoryStore } from "../../shared/store/memory.ts";
import { type ObjectStore, PRESENT } from "../../shared/store/object-store.ts";
import { checkConditionalPut } from "../../shared/store/preflight.ts";

async function keysOf(store: ObjectStore): Promise<string[]> {
  const keys: string[] = [];
  for await (const { key } of store.list("")) keys.push(key);
  return keys;
}

function options(unsafe = false) {
  const warnings: string[] = [];
  return { id: "0123", unsafe, warn: (message: string) => void warnings.push(message), warnings };
}

/** A memory store whose conditional put is broken in one way. */
function broken(putIfAbsent: (inner: ObjectStore, key: string, bytes: Uint8Array) => Promise<void>): ObjectStore {
  const inner = memoryStore();
  return { ...inner, url: "s3://broken/run", putIfAbsent: (key, bytes) => putIfAbsent(inner, key, bytes) };
}

const taken = (key: string) => new PlumeError("ALREADY_EXISTS", key, { remedy: PRESENT });

const BROKEN = {
  "lets every writer win": [broken((inner, key, bytes) => inner.put(key, bytes)), "of 8 writers of one key 8 won"],
  "looks first and writes later": [
    broken(async (inner, key, bytes) => {
      if (await inner.head(key)) throw taken(key);
      await new Promise((resolve) => setTimeout(resolve, 5));
      await inner.put(key, bytes);
    }),
    "of 8 writers of one key 8 won",
  ],
  "lets nobody win": [
    broken(async (_, key) => {
      throw taken(key);
    }),
    "of 8 writers of one key 0 won",
  ],
  "refuses those who are late only in words": [
    broken(async (inner, key, bytes) => {
      const there = await inner.head(key);
      await inner.put(key, bytes);
      if (there) throw taken(key);
    }),
    "won",
  ],
  "writes the losers' bytes": [
    (() => {
      let first = true;
      return broken(async (inner, key, bytes) => {
        await inner.put(key, bytes);
        if (!first) throw taken(key);
        first = false;
      });
    })(),
    "another writer's bytes stand",
  ],
  "forgets the condition once the writers are through": [
    (() => {
      let writers = 0;
      return broken((inner, key, bytes) => (++writers > 8 ? inner.put(key, bytes) : inner.putIfAbsent(key, bytes)));
    })(),
    "a late writer replaced the object",
  ],
} as const;

describe("the preflight of a store", () => {
  it("passes one of whose racers exactly one wins, and leaves nothing", async () => {
    const store = memoryStore();
    const given = options();
    await checkConditionalPut(store, given);
    expect(given.warnings).toEqual([]);
    expect(await keysOf(store)).toEqual([]);
  });

  it.each(Object.entries(BROKEN))("refuses one that %s, by name, and leaves nothing", async (_, [store, fault]) => {
    await expect(checkConditionalPut(store, options())).rejects.toMatchObject({
      code: "FAILED_PRECONDITION",
      message: expect.stringMatching(new RegExp(`s3://broken/run does not honour If-None-Match: .*${fault}`)),
      remedy: expect.stringContaining("store.unsafe"),
    });
    expect(await keysOf(store)).toEqual([]);
  });

  it("warns instead of refusing when the job says so", async () => {
    const given = options(true);
    await checkConditionalPut(
      broken((inner, key, bytes) => inner.put(key, bytes)),
      given,
    );
    expect(given.warnings).toEqual([expect.stringContaining("does not honour If-None-Match")]);
  });

  it("does not take a server that fails for one that is unsafe", async () => {
    const store = broken(async () => {
      throw new PlumeError("UNAVAILABLE", "no answer");
    });
    await expect(checkConditionalPut(store, options(true))).rejects.toMatchObject({ code: "UNAVAILABLE" });
  });
});
