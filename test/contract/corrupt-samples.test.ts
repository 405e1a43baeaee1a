// data.onError: what becomes of samples that cannot be decoded.

import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { dataSchema } from "../../shared/config/data.ts";
import { type OpenOptions, openImageSet } from "../../shared/data/open.ts";
import { drawPicture, faultOf, PARQUET, PICTURES, writeShards } from "../support/pictures.ts";
import { scratchFolder } from "../support/plume.ts";

const scratch = scratchFolder();
afterAll(() => scratch[Symbol.dispose]());

const open = (source: string, more: object = {}, options: OpenOptions = {}) =>
  openImageSet(dataSchema.parse({ source, imageSize: 8, cacheDir: scratch.file("cache"), ...more }), options);

describe("data.onError: skip", () => {
  it("has the next sample that can be decoded in the place of one that cannot, in every order and company", async () => {
    const broken = new Set([PICTURES[10]!, PICTURES[11]!, PICTURES[63]!]);
    const change = (k: number, png: Buffer) => (broken.has(k) ? Buffer.alloc(png.length, 7) : png);
    const folder = await writeShards(scratch.file("corrupt"), { change });
    const strict = await open(`wds:${folder}`);
    const fault = await faultOf(strict.read([12, 10]));
    expect(fault).toMatchObject({ code: "DATA_LOSS" });
    expect(fault.message).toMatch(/shard-000000\.tar: 0030 cannot be decoded/);
    expect(fault.remedy).toContain("data.onError: skip");
    const told: [number, number][] = [];
    const onSkip = ({ id, instead }: { id: number; instead: number }) => void told.push([id, instead]);
    const skipping = await open(`wds:${folder}`, { onError: "skip" }, { onSkip });
    const { pixels, labels, skipped } = await skipping.read([10, 5, 63, 11]);
    expect(skipped).toEqual([
      { id: 10, instead: 12 },
      { id: 63, instead: 0 },
      { id: 11, instead: 12 },
    ]);
    expect(told).toEqual([
      [10, 12],
      [63, 0],
      [11, 12],
    ]);
    const images = [12, 5, 0, 12].map((id) => PICTURES[id]!);
    expect(Buffer.compare(pixels, Buffer.concat(images.map(drawPicture)))).toBe(0);
    expect([...labels]).toEqual(images.map((k) => k % 3));
    const alone = await (await open(`wds:${folder}`, { onError: "skip" })).read([11]);
    expect(Buffer.compare(alone.pixels, pixels.subarray(576))).toBe(0);
    // The stand-in is of the set that the job names, not beyond its limit.
    const limited = await open(`wds:${folder}`, { onError: "skip", limit: 12 });
    expect((await limited.read([11])).skipped).toEqual([{ id: 11, instead: 0 }]);
  });

  it("does not skip a whole set", async () => {
    const folder = await writeShards(scratch.file("all-corrupt"), { change: () => Buffer.from("x") });
    const set = await open(`wds:${folder}`, { onError: "skip" });
    expect((await faultOf(set.read([0]))).message).toMatch(/no sample after 0 can be decoded/);
  });

  it("skips the rows of a parquet row group that is damaged", async () => {
    const file = scratch.file("damaged.parquet");
    const bytes = readFileSync(join(PARQUET, "set", "train-00000-of-00002.parquet"));
    bytes.fill(0xff, 10, 200);
    writeFileSync(file, bytes);
    expect((await faultOf((await open(`parquet:${file}`)).read([0]))).message).toMatch(/row group 0 cannot be read/);
    const { skipped, pixels } = await (await open(`parquet:${file}`, { onError: "skip" })).read([3, 12]);
    expect(skipped).toEqual([{ id: 3, instead: 10 }]);
    expect(Buffer.compare(pixels.subarray(0, 192), drawPicture(PICTURES[10]!))).toBe(0);
  });
});
