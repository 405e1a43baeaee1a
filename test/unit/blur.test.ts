import { describe, expect, it } from "vitest";
import { filtered, gaussianBlur } from "../../shared/data/blur.ts";

const shape = { height: 3, width: 4, channels: 2 };
const image = Float32Array.from({ length: 24 }, (_, k) => ((k * 7) % 11) - 5);

describe("a blurred image", () => {
  it("is itself where it is even, and by a kernel of one pixel", () => {
    const even = new Float32Array(24).fill(3);
    gaussianBlur(even, shape, { kernel: 3, sigma: 0.8 }).forEach((value) => expect(value).toBeCloseTo(3, 6));
    expect(gaussianBlur(image, shape, { kernel: 1, sigma: 0.8 })).toEqual(image);
  });

  it("mixes neighbours of a channel and of an image, and no others", () => {
    const two = new Float32Array(48);
    two[2 * (4 + 1)] = 1; // image 0, row 1, column 1, channel 0
    const spread = [...gaussianBlur(two, shape, { kernel: 3, sigma: 1 })].flatMap((value, k) => (value > 0 ? [k] : []));
    expect(spread).toEqual([0, 1, 2, 4, 5, 6, 8, 9, 10].map((pixel) => 2 * pixel));
  });

  it("takes what lies outside for the edge, or for the row read backwards without its edge again", () => {
    const row = Float32Array.of(1, 2, 4);
    const line = { height: 1, width: 3, channels: 1 };
    expect([...filtered(row, { ...line, height: 1 }, [1, 0, 0], "edge")]).toEqual([1, 1, 2]);
    const tall = { height: 3, width: 1, channels: 1 };
    expect([...filtered(row, tall, [1, 0, 0], "edge")]).toEqual([1, 1, 2]);
    expect([
      ...filtered(Float32Array.of(1, 2, 4, 1, 2, 4), { height: 2, width: 3, channels: 1 }, [0, 1, 1], "reflect"),
    ]).toEqual([6, 12, 12, 6, 12, 12]);
  });
});
