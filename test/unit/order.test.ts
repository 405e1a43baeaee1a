// The stream of samples: micro-batches tile it, whatever the sizes, and its digests tell orders apart.

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { idsDigest, rangesOfStep, type SampleOrder, sampleIds } from "../../shared/data/order.ts";
import { permute } from "../../shared/data/permutation.ts";

const orders = fc
  .record({
    seed: fc.nat(),
    datasetSize: fc.integer({ min: 1, max: 60 }),
    microBatch: fc.integer({ min: 1, max: 8 }),
    V: fc.integer({ min: 1, max: 6 }),
  })
  .map(({ V, ...rest }): SampleOrder => ({ ...rest, globalBatch: V * rest.microBatch }));

const idsOfStep = (order: SampleOrder, step: number) =>
  Array.from({ length: order.globalBatch / order.microBatch }, (_, index) => sampleIds(order, step, index)).flat();

describe("the order of samples", () => {
  it("uses every sample once in each epoch, for any sizes", () => {
    fc.assert(
      fc.property(orders, (order) => {
        const epochs = 3;
        const steps = Math.ceil((epochs * order.datasetSize) / order.globalBatch);
        const all = Array.from({ length: steps }, (_, step) => idsOfStep(order, step)).flat();
        for (let epoch = 0; epoch < epochs; epoch++) {
          const ids = all.slice(epoch * order.datasetSize, (epoch + 1) * order.datasetSize);
          expect([...ids].sort((a, b) => a - b)).toEqual(Array.from(ids, (_, k) => k));
        }
      }),
    );
  });

  it("names the ranges of a step so that they hold its samples", () => {
    fc.assert(
      fc.property(orders, fc.nat(50), (order, step) => {
        const ids = rangesOfStep(order, step).flatMap(({ epoch, from, to }) =>
          Array.from({ length: to - from }, (_, k) => permute(order.seed, epoch, order.datasetSize, from + k)),
        );
        expect(ids).toEqual(idsOfStep(order, step));
      }),
    );
  });

  it("is the same samples in the same order for any micro-batch", () => {
    const order = { seed: 4, datasetSize: 117, globalBatch: 24, microBatch: 24 };
    for (const microBatch of [1, 2, 8, 12]) expect(idsOfStep({ ...order, microBatch }, 9)).toEqual(idsOfStep(order, 9));
  });

  it("splits a step where an epoch ends inside it, as often as it does", () => {
    expect(rangesOfStep({ seed: 0, datasetSize: 10, globalBatch: 8, microBatch: 4 }, 1)).toEqual([
      { epoch: 0, from: 8, to: 10 },
      { epoch: 1, from: 0, to: 6 },
    ]);
    expect(rangesOfStep({ seed: 0, datasetSize: 3, globalBatch: 8, microBatch: 4 }, 0)).toEqual([
      { epoch: 0, from: 0, to: 3 },
      { epoch: 1, from: 0, to: 3 },
      { epoch: 2, from: 0, to: 2 },
    ]);
  });

  it("has a digest that changes with an id and with the order", () => {
    expect(idsDigest([1, 2, 3])).toMatch(/^[0-9a-f]{8}$/);
    expect(
      new Set(
        [
          [1, 2, 3],
          [1, 3, 2],
          [1, 2, 4],
          [1, 2],
          [1, 2, 3, 0],
        ].map((ids) => idsDigest(ids)),
      ).size,
    ).toBe(5);
    // CRC-32 of 01 00 00 00 00 00 00 80: the last id takes all of its 32 bits.
    expect(idsDigest([1, 2 ** 31])).toBe("44305cd7");
  });
});
