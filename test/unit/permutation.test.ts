// The permutation visits every sample once for every size, and is one that shuffles.

import { createHash } from "node:crypto";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { permute } from "../../shared/data/permutation.ts";

const epochOf = (seed: number, epoch: number, n: number) =>
  Array.from({ length: n }, (_, p) => permute(seed, epoch, n, p));

/** True when `ids` holds each of 0 to n - 1 once. */
function isPermutation(ids: readonly number[]): boolean {
  const seen = new Uint8Array(ids.length);
  for (const id of ids) {
    if (!(id >= 0 && id < ids.length) || seen[id]) return false;
    seen[id] = 1;
  }
  return true;
}

describe("permute", () => {
  it.each([1, 2, 3, 4, 5, 16, 17, 117, 1024, 1025, 60_000])("visits each of %d samples once", (n) => {
    expect(isPermutation(epochOf(0, 0, n))).toBe(true);
    expect(isPermutation(epochOf(2 ** 53 - 1, 7, n))).toBe(true);
  });

  it("visits each sample once for any size, seed and epoch", () => {
    const seeds = fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER });
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 700 }), seeds, fc.nat(2 ** 31 - 1), (n, seed, epoch) =>
        isPermutation(epochOf(seed, epoch, n)),
      ),
      { numRuns: 200 },
    );
  });

  it("stays within data sets of billions, up to 2^32 samples", () => {
    for (const n of [2 ** 31 + 1, 2 ** 32 - 1, 2 ** 32]) {
      const ids = Array.from({ length: 2000 }, (_, k) => permute(1, 0, n, n - 1 - k));
      expect(ids.every((id) => Number.isInteger(id) && id >= 0 && id < n)).toBe(true);
      expect(new Set(ids).size).toBe(ids.length);
    }
  });

  it("gives another order for another seed, for its upper half too, and for another epoch", () => {
    const orders = [epochOf(0, 0, 100), epochOf(1, 0, 100), epochOf(2 ** 32, 0, 100), epochOf(0, 1, 100)];
    expect(new Set(orders.map(String)).size).toBe(4);
  });

  it("moves samples anywhere: the first position's id is even over seeds, neighbours are strangers", () => {
    const n = 10;
    const counts = new Array<number>(n).fill(0);
    for (let seed = 0; seed < 5000; seed++) counts[permute(seed, 0, n, 0)]!++;
    const chiSquare = counts.reduce((sum, count) => sum + (count - 500) ** 2 / 500, 0);
    expect(chiSquare).toBeLessThan(9 + 5 * Math.sqrt(18));

    // The correlation of successive ids of a random order of m is within 5/sqrt(m) of 0.
    const ids = epochOf(3, 0, 20_000);
    const mean = (ids.length - 1) / 2;
    const variance = (ids.length ** 2 - 1) / 12;
    const serial = ids.slice(1).reduce((sum, id, k) => sum + (id - mean) * (ids[k]! - mean), 0) / ids.length / variance;
    expect(Math.abs(serial)).toBeLessThan(5 / Math.sqrt(ids.length));
  });

  it("reaches every order of three samples", () => {
    const orders = new Set(Array.from({ length: 300 }, (_, seed) => epochOf(seed, 0, 3).join()));
    expect(orders.size).toBe(6);
  });

  it("refuses a position outside of the data set", () => {
    expect(() => permute(0, 0, 10, 10)).toThrow("position 10 of 10 samples");
    expect(() => permute(0, 0, 0, 0)).toThrow("position 0 of 0 samples");
  });

  it("never changes: a run's order is part of its format", () => {
    const ids = Uint32Array.from([...epochOf(0, 0, 117), ...epochOf(12345678901, 3, 1000)]);
    expect(createHash("sha256").update(new Uint8Array(ids.buffer)).digest("hex")).toBe(
      "72215331b126f347fb2558fd2750e93f7480bf12050004fc18d3592cf645b97e",
    );
  });
});
