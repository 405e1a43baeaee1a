import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { PlumeError } from "../../shared/errors.ts";
import { fileStore } from "../../shared/store/file.ts";
import { memoryStore } from "../../shared/store/memory.ts";
import { openStore } from "../../shared/store/open.ts";
import { scratchFolder } from "../support/plume.ts";
import { bytesOf, describeObjectStore, textOf } from "./object-store-suite.ts";

describeObjectStore("memory", async () => {
  const store = memoryStore();
  return { handles: [store, store], async [Symbol.asyncDispose]() {} };
});

describeObjectStore("file", async () => {
  const scratch = scratchFolder();
  const folder = scratch.file("not", "yet", "there");
  return {
    handles: [fileStore(folder), fileStore(folder)],
    async [Symbol.asyncDispose]() {
      scratch[Symbol.dispose]();
    },
  };
});

describe("a file store", () => {
  it("leaves nothing beside its objects, and no empty folders", async () => {
    using scratch = scratchFolder();
    const store = fileStore(scratch.path);
    await store.put("step-1/a", bytesOf("a"));
    await store.putIfAbsent("step-1/b", bytesOf("b"));
    await expect(store.putIfAbsent("step-1/b", bytesOf("c"))).rejects.toThrow("exists already");
    expect(readdirSync(scratch.file("step-1")).sort()).toEqual(["a", "b"]);
    await store.delete("step-1/a");
    await store.delete("step-1/b");
    expect(readdirSync(scratch.path)).toEqual([]);
  });

  it("does not list what a killed writer left half-written", async () => {
    using scratch = scratchFolder();
    const store = fileStore(scratch.path);
    await store.put("k", bytesOf("whole"));
    writeFileSync(scratch.file(".partial-0123"), "ha");
    const keys: string[] = [];
    for await (const { key } of store.list("")) keys.push(key);
    expect(keys).toEqual(["k"]);
  });

  it("says which file it cannot write and what to do, when its folder cannot be made", async () => {
    using scratch = scratchFolder();
    writeFileSync(scratch.file("occupied"), "a file where the folder should be");
    const refusal = await fileStore(scratch.file("occupied", "checkpoints"))
      .put("step-1/a", bytesOf("x"))
      .catch((error: unknown) => error as PlumeError);
    expect(refusal).toBeInstanceOf(PlumeError);
    expect(refusal).toMatchObject({ code: "FAILED_PRECONDITION", remedy: expect.stringContaining("checkpoint.store") });
    expect((refusal as PlumeError).message).toContain(join("occupied", "checkpoints", "step-1"));
  });

  it("refuses to put an object where a folder is, and keeps the folder", async () => {
    using scratch = scratchFolder();
    const store = fileStore(scratch.path);
    await store.put("a/b", bytesOf("x"));
    await expect(store.put("a", bytesOf("y"))).rejects.toMatchObject({ code: "FAILED_PRECONDITION" });
    expect(textOf(await store.get("a/b"))).toBe("x");
  });

  it("lets one process win a race that several run", async () => {
    using scratch = scratchFolder();
    const script = `
      import { fileStore } from ${JSON.stringify(new URL("../../shared/store/file.ts", import.meta.url).href)};
      const store = fileStore(process.argv[1]);
      let wins = 0;
      for (let round = 0; round < 50; round++)
        await store.putIfAbsent("round-" + round, Buffer.from(String(process.pid))).then(() => wins++, (error) => {
          if (error.code !== "ALREADY_EXISTS") throw error;
        });
      process.stdout.write(String(wins));`;
    const runs = Array.from({ length: 3 }, async () => {
      const child = spawn(process.execPath, ["--import", "tsx", "--input-type=module", "-e", script, scratch.path], {
        stdio: ["ignore", "pipe", "inherit"],
      });
      let output = "";
      child.stdout.on("data", (chunk: Buffer) => {
        output += chunk;
      });
      const [code] = await once(child, "close");
      expect(code).toBe(0);
      return Number(output);
    });
    const wins = await Promise.all(runs);
    expect(wins.reduce((sum, n) => sum + n, 0)).toBe(50);
    expect(readdirSync(scratch.path)).toHaveLength(50);
  });
});

describe("openStore", () => {
  it("takes a file:// URL as the folder it names, percent signs and spaces included", async () => {
    using scratch = scratchFolder();
    const folder = scratch.file("50% of a run");
    mkdirSync(folder);
    await (await openStore(`file://${folder}`)).put("k", bytesOf("x"));
    expect(existsSync(join(folder, "k"))).toBe(true);
  });

  it.each([
    ["ftp://bucket/run", "is no store that plume knows"],
    ["file://", "no store that plume knows"],
    ["runs/fashion", "no store that plume knows"],
  ])("refuses %s with the reason and an example", async (url, reason) => {
    await expect(openStore(url)).rejects.toMatchObject({
      code: "INVALID_ARGUMENT",
      message: expect.stringContaining(reason),
      remedy: expect.stringContaining("file://"),
    });
  });
});
