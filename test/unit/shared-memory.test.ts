import { existsSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, expect, it } from "vitest";
import { openSharedMemory, type SharedMemory } from "../../coordinator/files/shared-memory.ts";
import { sharedParamsFile, sharedResultFile } from "../../shared/rpc/shm.ts";
import { consecutive, readRegions, writeRegions } from "../../shared/tensor/regions.ts";

const SIZE = 600;
const save = (value: number) => (file: string) =>
  writeRegions(file, consecutive([new Uint8Array(new Float32Array(SIZE).fill(value).buffer)]));

let shared: SharedMemory;
const open = () => {
  shared = openSharedMemory("unit", "shm", {
    onFull: (error) => {
      throw error;
    },
  });
  return shared;
};
afterEach(() => shared.dispose());

it("keeps the newest versions whole under their names, and the oldest one's pages for the next", async () => {
  const { folder, publish } = open();
  for (let version = 0; version < 6; version++) {
    await publish("params", version, save(version));
    const read = new Float32Array(SIZE);
    const bytes = new Uint8Array(read.buffer);
    expect(await readRegions(join(folder, sharedParamsFile("params", version)), consecutive([bytes]))).toBe(
      bytes.byteLength,
    );
    expect([...new Set(read)]).toEqual([version]);
  }
  const left = readdirSync(folder).filter((name) => name !== "nonce");
  expect(left.sort()).toEqual([3, 4, 5].map((version) => sharedParamsFile("params", version)));
});

it("forgets the results of a worker that is gone, and those of no other", () => {
  const { folder, forget } = open();
  const [gone, again, other] = [
    sharedResultFile("worker-1", 77, 0),
    sharedResultFile("worker-1", 78, 1),
    sharedResultFile("worker-1-2", 77, 0),
  ];
  for (const name of [gone, again, other]) writeFileSync(join(folder, name), "x");
  forget("worker-1");
  expect([gone, again, other].map((name) => existsSync(join(folder, name)))).toEqual([false, false, true]);
});
