// What every object store must do; run on each of them by object-store.test.ts.

import { describe, expect, it } from "vitest";
import type { ObjectStore } from "../../shared/store/object-store.ts";

export const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);
export const textOf = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);

/** Several handles on one and the same store, as several processes have them. */
export interface StoreUnderTest extends AsyncDisposable {
  readonly handles: readonly [ObjectStore, ObjectStore];
}

async function keysOf(store: ObjectStore, prefix = ""): Promise<string[]> {
  const keys: string[] = [];
  for await (const { key } of store.list(prefix)) keys.push(key);
  return keys;
}

/** The code of the PlumeError that a promise rejects with. */
const codeOf = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => "nothing was thrown",
    (error: { code?: string }) => error.code,
  );

/** @param make opens an empty store. */
export function describeObjectStore(name: string, make: () => Promise<StoreUnderTest>): void {
  describe(`the ${name} store`, () => {
    it("gives back what was put, to every handle", async () => {
      await using opened = await make();
      const [a, b] = opened.handles;
      const bytes = Uint8Array.from({ length: 70_000 }, (_, i) => i % 251);
      await a.put("some/deep/key.bin", bytes);
      expect(Buffer.compare(await b.get("some/deep/key.bin"), bytes)).toBe(0);
      expect(await b.head("some/deep/key.bin")).toMatchObject({ size: 70_000 });
    });

    it("replaces an object by put, whole", async () => {
      await using opened = await make();
      const [store] = opened.handles;
      await store.put("k", bytesOf("the first and longer one"));
      await store.put("k", bytesOf("second"));
      expect(textOf(await store.get("k"))).toBe("second");
    });

    it("keeps its own copy: neither the writer's array nor a reader's reaches into it", async () => {
      await using opened = await make();
      const [store] = opened.handles;
      const mine = bytesOf("abc");
      await store.put("k", mine);
      mine[0] = 0;
      (await store.get("k"))[1] = 0;
      expect(textOf(await store.get("k"))).toBe("abc");
    });

    it("gives a range's bytes whether or not they fit into the memory that is offered", async () => {
      await using opened = await make();
      const [store] = opened.handles;
      await store.put("k", bytesOf("0123456789"));
      for (const size of [3, 4, 64]) {
        const into = new Uint8Array(size).fill(255);
        expect(textOf(await store.get("k", { range: { start: 2, end: 6 }, into }))).toBe("2345");
        expect(textOf(await store.get("k", { range: { start: 8, end: 99 }, into }))).toBe("89");
      }
    });

    it("holds an empty object", async () => {
      await using opened = await make();
      const [store] = opened.handles;
      await store.put("empty", new Uint8Array());
      expect((await store.get("empty")).byteLength).toBe(0);
      expect(await store.head("empty")).toMatchObject({ size: 0 });
      expect(await keysOf(store)).toEqual(["empty"]);
    });

    it("reads ranges, cut at the object's end", async () => {
      await using opened = await make();
      const [store] = opened.handles;
      await store.put("k", bytesOf("0123456789"));
      const range = async (start: number, end: number) => textOf(await store.get("k", { range: { start, end } }));
      expect(await range(0, 4)).toBe("0123");
      expect(await range(7, 9)).toBe("78");
      expect(await range(7, 99)).toBe("789");
      expect(await range(4, 4)).toBe("");
      expect(await range(20, 30)).toBe("");
    });

    it("says NOT_FOUND for what is not there, also for a prefix that has keys", async () => {
      await using opened = await make();
      const [store] = opened.handles;
      await store.put("folder/key", bytesOf("x"));
      expect(await codeOf(store.get("nothing"))).toBe("NOT_FOUND");
      expect(await codeOf(store.get("folder"))).toBe("NOT_FOUND");
      expect(await codeOf(store.get("folder/key/below"))).toBe("NOT_FOUND");
      expect(await store.head("nothing")).toBeNull();
      expect(await store.head("folder")).toBeNull();
      expect(await store.head("folder/key/below")).toBeNull();
    });

    it("deletes, and is content when there is nothing to delete", async () => {
      await using opened = await make();
      const [a, b] = opened.handles;
      await a.put("one/key", bytesOf("1"));
      await a.put("one/other", bytesOf("2"));
      await a.delete("one/key");
      await a.delete("one/key");
      await a.delete("never/was");
      expect(await keysOf(b)).toEqual(["one/other"]);
      await a.delete("one/other");
      expect(await keysOf(b)).toEqual([]);
      await a.put("one/key", bytesOf("again"));
      expect(textOf(await b.get("one/key"))).toBe("again");
    });

    it("lists more than a thousand keys in code-unit order, whatever the order of writing", async () => {
      await using opened = await make();
      const [store] = opened.handles;
      const names = Array.from({ length: 1_050 }, (_, i) => `many/${String((i * 389) % 1_050).padStart(5, "0")}`);
      const tricky = ["many.txt", "manz/a", "many-more/z", "A/b"];
      for (const key of [...names, ...tricky]) await store.put(key, bytesOf(key));
      expect(await keysOf(store)).toEqual([...names, ...tricky].sort());
      expect(await keysOf(store, "many/")).toEqual([...names].sort());
      expect(await keysOf(store, "many/0104")).toEqual(names.filter((key) => key.startsWith("many/0104")).sort());
      expect(await keysOf(store, "man")).toHaveLength(1_050 + 3);
      expect(await keysOf(store, "none/")).toEqual([]);
    });

    it("tells size and age of what it lists, as head does", async () => {
      await using opened = await make();
      const [store] = opened.handles;
      const start = Date.now();
      for (const size of [0, 1, 70_000]) await store.put(`a/${size}`, new Uint8Array(size));
      const sizes: number[] = [];
      for await (const { key, size, modifiedMs } of store.list("a/")) {
        sizes.push(size);
        // Stores may know whole seconds only.
        expect(modifiedMs).toBeGreaterThan(start - 2_000);
        expect(modifiedMs).toBeLessThan(Date.now() + 2_000);
        expect((await store.head(key))?.size).toBe(size);
      }
      expect(sizes).toEqual([0, 1, 70_000]);
    });

    it("stops listing when the reader does", async () => {
      await using opened = await make();
      const [store] = opened.handles;
      for (const key of ["a", "b", "c"]) await store.put(key, bytesOf(key));
      const seen: string[] = [];
      for await (const { key } of store.list("")) {
        seen.push(key);
        if (key === "b") break;
      }
      expect(seen).toEqual(["a", "b"]);
    });

    it("lets exactly one of many racers put an absent key, and shows that one's bytes", async () => {
      await using opened = await make();
      for (let round = 0; round < 10; round++) {
        const outcomes = await Promise.all(
          Array.from({ length: 16 }, async (_, racer) => {
            const store = opened.handles[racer % 2]!;
            return codeOf(store.putIfAbsent(`round-${round}/manifest.json`, bytesOf(`racer ${racer}`)));
          }),
        );
        const winners = outcomes.flatMap((code, racer) => (code === "nothing was thrown" ? [racer] : []));
        expect(winners).toHaveLength(1);
        expect(outcomes.filter((code) => code === "ALREADY_EXISTS")).toHaveLength(15);
        expect(textOf(await opened.handles[0].get(`round-${round}/manifest.json`))).toBe(`racer ${winners[0]}`);
      }
    });

    it("refuses putIfAbsent after a put, and allows it after a deletion", async () => {
      await using opened = await make();
      const [store] = opened.handles;
      await store.put("k", bytesOf("first"));
      expect(await codeOf(store.putIfAbsent("k", bytesOf("second")))).toBe("ALREADY_EXISTS");
      expect(textOf(await store.get("k"))).toBe("first");
      await store.delete("k");
      await store.putIfAbsent("k", bytesOf("third"));
      expect(textOf(await store.get("k"))).toBe("third");
    });

    it("never shows a reader a mixture of two writes", async () => {
      await using opened = await make();
      const [writer, reader] = opened.handles;
      const fill = (n: number) => new Uint8Array(200_000).fill(n);
      await writer.put("k", fill(0));
      const writing = (async () => {
        for (let n = 1; n <= 20; n++) await writer.put("k", fill(n));
      })();
      for (let read = 0; read < 40; read++) {
        const bytes = await reader.get("k");
        expect(bytes.byteLength).toBe(200_000);
        expect(bytes.every((byte) => byte === bytes[0])).toBe(true);
      }
      await writing;
    });

    it.each([
      "",
      "/absolute",
      "a//b",
      "trailing/",
      "../outside",
      "a/../../outside",
      "a/./b",
      "nul\0",
      "back\\slash",
      ".partial-x",
      "x".repeat(300),
    ])("refuses %j, which is no key", async (key) => {
      await using opened = await make();
      const [store] = opened.handles;
      expect(await codeOf(store.put(key, bytesOf("x")))).toBe("INVALID_ARGUMENT");
      expect(await codeOf(store.putIfAbsent(key, bytesOf("x")))).toBe("INVALID_ARGUMENT");
      expect(await codeOf(store.get(key))).toBe("INVALID_ARGUMENT");
      expect(await codeOf(store.head(key))).toBe("INVALID_ARGUMENT");
      expect(await codeOf(store.delete(key))).toBe("INVALID_ARGUMENT");
      expect(await keysOf(store)).toEqual([]);
      expect(await keysOf(store, "../")).toEqual([]);
    });

    it("does nothing for a caller that was aborted", async () => {
      await using opened = await make();
      const [store] = opened.handles;
      await store.put("k", bytesOf("kept"));
      const signal = AbortSignal.abort(new Error("enough"));
      await expect(store.put("k", bytesOf("new"), signal)).rejects.toThrow("enough");
      await expect(store.putIfAbsent("l", bytesOf("new"), signal)).rejects.toThrow("enough");
      await expect(store.get("k", { signal })).rejects.toThrow("enough");
      await expect(store.delete("k", signal)).rejects.toThrow("enough");
      expect(textOf(await store.get("k"))).toBe("kept");
      expect(await keysOf(store)).toEqual(["k"]);
    });
  });
}
