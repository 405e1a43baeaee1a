import { expect, it } from "vitest";
import { bytesNeeded, checkMemory, mebibytes } from "../../coordinator/opening/memory.ts";

const need = { vectorBytes: 2 ** 30, moments: 2, blocks: 3, bufferBytes: 2 ** 30 };

it("the coordinator's memory is parameters, EMA, moments, a gradient a worker, their sum, and what is being saved", () => {
  expect(bytesNeeded(need)).toBe(9 * 2 ** 30);
  // Two saves at once are the most.
  expect(bytesNeeded({ ...need, bufferBytes: 2 ** 40 })).toBe(16 * 2 ** 30);
});

it("a job that does not fit is refused with both numbers and the remedy", () => {
  expect(() => checkMemory(need, 9 * 2 ** 30)).not.toThrow();
  expect(() => checkMemory(need, 9 * 2 ** 30 - 1)).toThrow(
    expect.objectContaining({
      code: "RESOURCE_EXHAUSTED",
      message: expect.stringMatching(/needs 9\.0 GiB .* 3 gradients of 1\.0 GiB each, .* and has 9\.0 GiB/),
      remedy: expect.stringContaining("checkpoint.bufferMiB"),
    }),
  );
});

it("a bound of 2 GiB and more is itself", () => {
  expect(mebibytes(2048)).toBe(2 ** 31);
  expect(mebibytes(4096)).toBe(2 ** 32);
});
