import { expect, it } from "vitest";
import { bytesNeeded, checkMemory } from "../../coordinator/opening/memory.ts";

const need = { vectorBytes: 2 ** 30, moments: 2, blocks: 3 };

it("the coordinator's memory is parameters, EMA, moments, a gradient a worker and their sum", () => {
  expect(bytesNeeded(need)).toBe(8 * 2 ** 30);
});

it("a job that does not fit is refused with both numbers and the remedy", () => {
  expect(() => checkMemory(need, 8 * 2 ** 30)).not.toThrow();
  expect(() => checkMemory(need, 8 * 2 ** 30 - 1)).toThrow(
    expect.objectContaining({
      code: "RESOURCE_EXHAUSTED",
      message: expect.stringMatching(/needs 8\.0 GiB .* 3 gradients of 1\.0 GiB each, and has 8\.0 GiB/),
      remedy: expect.stringContaining("model.channels"),
    }),
  );
});
