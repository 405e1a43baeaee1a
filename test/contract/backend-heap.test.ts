// In a file of its own: a process has one wasm heap, and this one is small.
import * as tf from "@tensorflow/tfjs-core";
import { expect, it } from "vitest";
import { openWasm } from "../../shared/backends/wasm.ts";

const MIB = 2 ** 20;

it("a tensor beyond the budget of the wasm heap fails by name, and what was there stays whole", async () => {
  const backend = await openWasm(64 * MIB);
  const kept: tf.Tensor[] = [];
  const fill = () => {
    for (let i = 0; i < 100; i++) kept.push(tf.fill([MIB], i));
  };
  expect(fill).toThrow(/no room for a tensor of 4 MiB: the wasm heap has grown to \d+ MiB, its budget is 64 MiB/);
  expect(fill).toThrow(expect.objectContaining({ code: "RESOURCE_EXHAUSTED" }));
  expect(kept.length).toBeGreaterThan(5);
  kept.forEach((x, i) => {
    const values = x.dataSync();
    expect([values[0], values[MIB - 1]]).toEqual([i, i]);
  });
  expect(() => backend.check()).toThrow(/budget is 64 MiB/);
});
