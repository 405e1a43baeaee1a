import sharp from "sharp";
import { describe, expect, it } from "vitest";
import { writeDrawn } from "../../coordinator/cli/commands/sample/show.ts";
import { lossChart } from "../../shared/data/chart.ts";
import { writeGrid } from "../../shared/data/picture.ts";
import { scratchFolder } from "../support/plume.ts";

describe("a grid of images", () => {
  it("puts every image in its cell, magnified by whole pixels, under its column's name", async () => {
    using scratch = scratchFolder();
    const file = scratch.file("grid.png");
    // Three images of 2x2 in two columns, each of one value.
    const pixels = Uint8Array.from([10, 10, 10, 10, 120, 120, 120, 120, 250, 250, 250, 250]);
    await writeGrid(file, pixels, {
      count: 3,
      height: 2,
      width: 2,
      channels: 1,
      columns: 2,
      scale: 5,
      labels: ["a<b", "c"],
    });
    const { data, info } = await sharp(file).raw().toBuffer({ resolveWithObject: true });
    const at = (x: number, y: number) => data[(y * info.width + x) * info.channels];
    const top = info.height - 2 * 14 - 4;
    expect(info.width).toBe(2 * 14 + 4);
    expect([at(4, top + 4), at(13, top + 13), at(18, top + 4), at(4, top + 18)]).toEqual([10, 10, 120, 250]);
  });
});

describe("a grid of a column a class", () => {
  it("has none for classes of which there is no image", async () => {
    using scratch = scratchFolder();
    const widthOf = async (count: number) => {
      const file = scratch.file(`${count}.png`);
      const pictures = { count, height: 28, width: 28, channels: 1, classes: ["a", "b", "c", "d"] };
      await writeDrawn(file, new Uint8Array(count * 28 * 28), pictures, 4);
      return (await sharp(file).metadata()).width;
    };
    expect(await widthOf(2)).toBeLessThan(await widthOf(4));
    expect(await widthOf(5)).toBe(await widthOf(4));
  });
});

describe("the loss chart", () => {
  const points = Array.from({ length: 200 }, (_, step) => ({ step, loss: 1 / (1 + step / 10) }));

  it("is a picture with the title, the axis and both curves", async () => {
    const svg = lossChart(points, { title: "a & b" });
    const { width, height } = await sharp(Buffer.from(svg)).metadata();
    expect([width, height]).toEqual([860, 420]);
    expect(svg).toContain("a &#38; b");
    expect(svg.match(/<path /g)).toHaveLength(2);
  });

  it("leaves out what is not finite, and says when there is nothing", () => {
    expect(lossChart([{ step: 0, loss: null }], { title: "x" })).toContain("no committed step yet");
    expect(lossChart([{ step: 0, loss: null }, ...points], { title: "x" })).not.toContain("NaN");
    expect(lossChart([{ step: 3, loss: 0.5 }], { title: "x" })).not.toContain("NaN");
  });

  it("has an even axis where a loss is below 0, as a critic's is", () => {
    const losses = [-0.5, 0.25, -1].map((loss, step) => ({ step, loss }));
    const svg = lossChart(losses, { title: "x" });
    const ticks = [...svg.matchAll(/text-anchor="end" fill="#555">([^<]*)</g)].map(([, tick]) => tick);
    expect(ticks).toEqual(["-1", "-0.5", "0"]);
    expect(svg).not.toContain("NaN");
  });
});
