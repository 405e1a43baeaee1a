import { existsSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, expect, it } from "vitest";
import { openSharedMemory, type SharedMemory } from "../../coordinator/shared-memory.ts";
import type { Vector } from "../../shared/kernels/reducer.ts";
import { readRegions, sharedParamsFile, sharedResultFile } from "../../shared/rpc/shm.ts";
import { buildLayout } from "../../shared/tensor/layout.ts";

const layout = buildLayout([1, 2, 3].map((k) => ({ name: `p${k}`, shape: [100 * k], init: { kind: "zeros" } as const })), 256); // biome-ignore format: one line
const vectorOf = (value: number): Vector => {
  const shards = layout.shards.map(({ size }) => new Float32Array(size).fill(value));
  return { id: value, shard: (index) => shards[index]! };
};

let shared: SharedMemory;
const open = () => {
  shared = openSharedMemory("unit", "shm", (error) => {
    throw error;
  });
  return shared;
};
afterEach(() => shared.dispose());

it("keeps the newest versions whole under their names, and the oldest one's pages for the next", async () => {
  const { folder, publish } = open();
  for (let version = 0; version < 6; version++) {
    await publish("params", version, vectorOf(version), layout);
    const read = new Float32Array(layout.size);
    const bytes = new Uint8Array(read.buffer);
    expect(await readRegions(join(folder, sharedParamsFile("params", version)), [bytes])).toBe(bytes.byteLength);
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
