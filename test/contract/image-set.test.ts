import { mkdirSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { zipSync } from "fflate";
import sharp from "sharp";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { dataSchema } from "../../shared/config/data.ts";
import { openImageSet } from "../../shared/data/open.ts";
import { pointsOf } from "../../shared/data/sources/gaussian-grid.ts";
import { scratchFolder } from "../support/plume.ts";

/** Written by NumPy 1.24: savez_compressed(file, images [12, 8, 8, 3], labels int64), savez(file, images=[4, 8, 8]). */
const NUMPY = fileURLToPath(new URL("./fixtures/numpy.npz", import.meta.url));
const NUMPY_NAMED = fileURLToPath(new URL("./fixtures/numpy-named.npz", import.meta.url));

const scratch = scratchFolder();
afterAll(() => scratch[Symbol.dispose]());

const open = (source: string, imageSize = 8, more: object = {}) =>
  openImageSet(dataSchema.parse({ source, imageSize, ...more }));

function idxFile(dims: number[], values: Uint8Array): Buffer {
  const header = Buffer.alloc(4 + 4 * dims.length);
  header.writeUInt32BE(0x0800 + dims.length, 0);
  dims.forEach((n, i) => header.writeUInt32BE(n, 4 + 4 * i));
  return Buffer.concat([header, values]);
}

/** An array as NumPy writes it. */
function npy(descr: string, shape: number[], bytes: number, fortran = "False", value = 0): Uint8Array {
  const header = `{'descr': '${descr}', 'fortran_order': ${fortran}, 'shape': (${shape.join(", ")},), }\n`;
  const length = Buffer.alloc(2);
  length.writeUInt16LE(header.length);
  const magic = Buffer.from("\x93NUMPY\x01\x00", "latin1");
  return Buffer.concat([magic, length, Buffer.from(header), Buffer.alloc(bytes, value)]);
}

const zipped = (files: Record<string, Uint8Array>) => zipSync(files);

const pixelsOf = (n: number) => Uint8Array.from({ length: n }, (_, i) => (i * 31) % 256);

beforeAll(async () => {
  for (const folder of ["idx", "cifar", "images/cat", "images/dog"])
    mkdirSync(scratch.file(folder), { recursive: true });
  writeFileSync(scratch.file("idx/train-images-idx3-ubyte.gz"), gzipSync(idxFile([12, 8, 8], pixelsOf(12 * 64))));
  writeFileSync(
    scratch.file("idx/train-labels-idx1-ubyte"),
    idxFile(
      [12],
      Uint8Array.from({ length: 12 }, (_, i) => i % 3),
    ),
  );
  const records = Buffer.concat(
    [0, 9, 4].map((label) => Buffer.concat([Buffer.from([label]), Buffer.from(pixelsOf(3072))])),
  );
  writeFileSync(scratch.file("cifar/data_batch_1.bin"), records);
  writeFileSync(scratch.file("cifar/data_batch_2.bin"), records);
  const picture = (r: number) =>
    sharp({ create: { width: 20, height: 12, channels: 3, background: { r, g: 100, b: 50 } } });
  await picture(10).png().toFile(scratch.file("images/cat/a.png"));
  await picture(20).jpeg().toFile(scratch.file("images/cat/b.jpg"));
  await picture(30).webp({ lossless: true }).toFile(scratch.file("images/dog/c.webp"));
  writeFileSync(scratch.file("images/readme.txt"), "not an image");
});

const sources = [
  { name: "shapes", source: () => "shapes:30", size: 30, channels: 1, classes: 10 },
  { name: "idx", source: () => `idx:${scratch.file("idx")}`, size: 12, channels: 1, classes: 3 },
  { name: "cifar", source: () => `cifar:${scratch.file("cifar")}`, size: 6, channels: 3, classes: 10 },
  { name: "npz", source: () => `npz:${NUMPY}`, size: 12, channels: 3, classes: 3 },
  { name: "images", source: () => `images:${scratch.file("images")}`, size: 3, channels: 3, classes: 2 },
];

describe.each(sources)("image set $name", ({ source, size, channels, classes }) => {
  it("says its size and shape, and reads any ids in any order, again and again", async () => {
    const set = await open(source());
    expect({
      size: set.size,
      height: set.height,
      width: set.width,
      channels: set.channels,
      classes: set.classes.length,
    }).toEqual({ size, height: 8, width: 8, channels, classes });
    const ids = [size - 1, 0, 1, 0];
    const { pixels, labels } = await set.read(ids);
    expect(pixels.length).toBe(4 * 64 * channels);
    const image = (k: number) => [...pixels.subarray(k * 64 * channels, (k + 1) * 64 * channels)];
    expect(image(3)).toEqual(image(1));
    expect(labels[3]).toBe(labels[1]);
    for (const label of labels) expect(label >= 0 && label < classes).toBe(true);
    const again = await (await open(source())).read(ids);
    expect(Buffer.from(again.pixels).equals(Buffer.from(pixels))).toBe(true);
    await set.close();
  });

  it("refuses ids that it does not have", async () => {
    const set = await open(source());
    for (const id of [-1, size, 0.5]) await expect(set.read([id])).rejects.toThrow(/outside/);
  });

  it("has a digest that is its own, changes with what is read, and survives reopening", async () => {
    const digest = (await open(source())).digest;
    expect((await open(source())).digest).toBe(digest);
    expect((await open(source(), 4)).digest).not.toBe(digest);
    expect((await open(source(), 8, { limit: size - 1 })).digest).not.toBe(digest);
  });

  it("can be limited to its first samples", async () => {
    const set = await open(source(), 8, { limit: 2 });
    expect(set.size).toBe(2);
    await expect(set.read([2])).rejects.toThrow(/outside/);
  });

  it("stops when asked to", async () => {
    const set = await open(source());
    await expect(set.read([0], AbortSignal.abort(new Error("enough")))).rejects.toThrow("enough");
  });
});

it("gaussian-grid: points around 25 centres of the plane, all modes alike, others to test on", async () => {
  const set = await open("gaussian-grid:5000", 28);
  expect(set).toMatchObject({ size: 5000, height: 1, width: 1, channels: 2, classes: [] });
  const { pixels } = await set.read(Array.from({ length: 5000 }, (_, k) => k));
  const points = pointsOf(pixels);
  const counts = new Map<string, number>();
  for (let k = 0; k < points.length; k += 2) {
    const centre = [points[k]!, points[k + 1]!].map((x) => 2 * Math.round(x / 2));
    // 6.7 standard deviations, the most that is drawn, and half of a 255th of an axis.
    expect(Math.hypot(points[k]! - centre[0]!, points[k + 1]! - centre[1]!)).toBeLessThan(0.37);
    counts.set(centre.join(), (counts.get(centre.join()) ?? 0) + 1);
  }
  expect(counts.size).toBe(25);
  for (const n of counts.values()) expect(Math.abs(n - 200)).toBeLessThan(70);
  const test = await openImageSet(dataSchema.parse({ source: "gaussian-grid:5000" }), { split: "test" });
  expect((await test.read([0, 1, 2])).pixels).not.toEqual(pixels.subarray(0, 6));
});

describe("the sets of Sohl-Dickstein et al. 2015", () => {
  it("swiss-roll: points on a spiral of one and a half turns, whatever imageSize is", async () => {
    const set = await open("swiss-roll:500", 28);
    expect(set).toMatchObject({ size: 500, height: 1, width: 1, channels: 2, classes: [] });
    const { pixels } = await set.read(Array.from({ length: 500 }, (_, k) => k));
    for (let k = 0; k < 500; k++) {
      const [x, y] = [pixels[2 * k]! / 127.5 - 1, pixels[2 * k + 1]! / 127.5 - 1];
      const turns = [1, 2].map((turn) => (0.9 * (Math.atan2(y, x) + 2 * Math.PI * turn)) / (4.5 * Math.PI));
      expect(Math.min(...turns.map((radius) => Math.abs(Math.hypot(x, y) - radius)))).toBeLessThan(0.06);
    }
    expect(new Set(pixels).size).toBeGreaterThan(150);
  });

  it("heartbeat: a pulse every fifth of 20 bits, all five phases alike", async () => {
    const set = await open("heartbeat:1000", 28);
    expect(set).toMatchObject({ size: 1000, height: 1, width: 20, channels: 1 });
    const { pixels } = await set.read(Array.from({ length: 1000 }, (_, k) => k));
    const phases = new Array<number>(5).fill(0);
    for (let k = 0; k < 1000; k++) {
      const bits = [...pixels.subarray(20 * k, 20 * k + 20)];
      const phase = bits.indexOf(255);
      phases[phase]!++;
      expect(bits).toEqual(bits.map((_, i) => (i % 5 === phase ? 255 : 0)));
    }
    for (const n of phases) expect(Math.abs(n - 200)).toBeLessThan(60);
  });

  it.each(["swiss-roll:x", "heartbeat:0", "shapes:1.5"])("%s is no count, and says what is one", async (source) => {
    await expect(open(source)).rejects.toMatchObject({
      message: expect.stringContaining("the count must be a whole number from 1 to 1000000"),
      remedy: expect.stringContaining(source.split(":")[0]!),
    });
  });
});

describe("what is in the files", () => {
  it("idx: pixels and labels as written", async () => {
    const set = await open(`idx:${scratch.file("idx")}`);
    const { pixels, labels } = await set.read([1]);
    expect([...pixels]).toEqual([...pixelsOf(12 * 64).subarray(64, 128)]);
    expect(labels[0]).toBe(1);
  });

  it("cifar: planes become pixels, batches follow one another", async () => {
    const set = await open(`cifar:${scratch.file("cifar")}`, 32);
    const { pixels, labels } = await set.read([1, 3]);
    expect([...labels]).toEqual([9, 0]);
    const plain = pixelsOf(3072);
    expect([...pixels.subarray(0, 3)]).toEqual([plain[0], plain[1024], plain[2048]]);
  });

  it("npz: arrays by position or by name, compressed or not, with labels or without", async () => {
    const set = await open(`npz:${NUMPY}`);
    const { pixels, labels } = await set.read([1, 5]);
    const written = pixelsOf(12 * 192);
    expect([...pixels]).toEqual([...written.subarray(192, 384), ...written.subarray(5 * 192, 6 * 192)]);
    expect([...labels]).toEqual([1, 2]);
    const named = await open(`npz:${NUMPY_NAMED}`);
    expect({ size: named.size, channels: named.channels, classes: named.classes }).toEqual({
      size: 4,
      channels: 1,
      classes: [],
    });
    const read = await named.read([3]);
    expect([...read.pixels]).toEqual([...pixelsOf(256).subarray(192)]);
    expect([...read.labels]).toEqual([-1]);
  });

  it("images: the subfolder is the class, the colours arrive, cropped to a square", async () => {
    const set = await open(`images:${scratch.file("images")}`);
    expect(set.classes).toEqual(["cat", "dog"]);
    const { pixels, labels } = await set.read([0, 2]);
    expect([...labels]).toEqual([0, 1]);
    expect([...pixels.subarray(0, 3)]).toEqual([10, 100, 50]);
    expect(pixels[64 * 3]).toBe(30);
  });

  it("shapes: every class looks different, and later images of a class vary", async () => {
    const set = await open("shapes:20", 16);
    const { pixels } = await set.read(Array.from({ length: 20 }, (_, k) => k));
    const images = new Set(
      Array.from({ length: 20 }, (_, k) => Buffer.from(pixels.subarray(k * 256, (k + 1) * 256)).toString("hex")),
    );
    expect(images.size).toBe(20);
  });
});

describe("broken files", () => {
  it.each([
    ["a wrong magic number", Buffer.from([0, 0, 9, 3, ...new Array(12).fill(0)]), "magic number"],
    ["too few bytes", Buffer.from([0, 0, 8]), "too few"],
    ["a header that promises more", idxFile([2, 8, 8], new Uint8Array(5)), "holds 5 values"],
    ["a torn gzip stream", gzipSync(idxFile([1, 8, 8], new Uint8Array(64))).subarray(0, 20), "cannot be decompressed"],
  ])("idx with %s is refused by name", async (what, bytes, message) => {
    const folder = scratch.file(`broken-${what.replaceAll(" ", "-")}`);
    mkdirSync(folder);
    writeFileSync(`${folder}/train-images-idx3-ubyte`, bytes);
    writeFileSync(`${folder}/train-labels-idx1-ubyte`, idxFile([1], new Uint8Array(1)));
    await expect(open(`idx:${folder}`)).rejects.toThrow(message);
    await expect(open(`idx:${folder}`)).rejects.toThrow("train-images-idx3-ubyte");
  });

  it("labels of another number of images, half a CIFAR record, a label that is none", async () => {
    const folder = scratch.file("mismatch");
    mkdirSync(folder);
    writeFileSync(`${folder}/train-images-idx3-ubyte`, idxFile([2, 8, 8], new Uint8Array(128)));
    writeFileSync(`${folder}/train-labels-idx1-ubyte`, idxFile([3], new Uint8Array(3)));
    await expect(open(`idx:${folder}`)).rejects.toThrow("3 labels for the 2 images");
    writeFileSync(`${folder}/data_batch_1.bin`, Buffer.alloc(3073 + 5));
    await expect(open(`cifar:${folder}`)).rejects.toThrow("3078 bytes");
    writeFileSync(`${folder}/data_batch_1.bin`, Buffer.alloc(3073, 200));
    await expect(open(`cifar:${folder}`)).rejects.toThrow("label 200");
  });

  it.each([
    ["no zip", Buffer.from("hello"), "is no image set"],
    ["no images", zipped({ "x.npy": npy("|u1", [1, 8, 8], 64) }), "no images and no arr_0, only x.npy"],
    ["floats", zipped({ "arr_0.npy": npy("<f4", [1, 8, 8], 256) }), "its images are <f4 [1, 8, 8] with 256 bytes"],
    ["Fortran's order", zipped({ "arr_0.npy": npy("|u1", [1, 8, 8], 64, "True") }), "'fortran_order': True"],
    ["no header", zipped({ "arr_0.npy": new Uint8Array(100) }), "no NumPy header"],
    ["no image", zipped({ "arr_0.npy": npy("|u1", [0, 8, 8], 0) }), "holds no image"],
    [
      "too few labels",
      zipped({ "arr_0.npy": npy("|u1", [2, 8, 8], 128), "arr_1.npy": npy("|u1", [1], 1) }),
      "its labels are |u1 [1] for 2 images",
    ],
    [
      "a label below 0",
      zipped({ "arr_0.npy": npy("|u1", [1, 8, 8], 64), "arr_1.npy": npy("|i1", [1], 1, "False", 0xff) }),
      "a label is -1",
    ],
  ])("npz with %s is refused by name", async (what, bytes, message) => {
    const file = scratch.file(`${what.replaceAll(/\W/g, "-")}.npz`);
    writeFileSync(file, bytes);
    await expect(open(`npz:${file}`)).rejects.toThrow(message);
    await expect(open(`npz:${file}`)).rejects.toThrow(file);
  });

  it("a picture that cannot be decoded is named when it is read", async () => {
    const folder = scratch.file("bad-pictures/x");
    mkdirSync(folder, { recursive: true });
    writeFileSync(`${folder}/torn.png`, Buffer.from("89504e470d0a1a0a", "hex"));
    const set = await open(`images:${scratch.file("bad-pictures")}`);
    await expect(set.read([0])).rejects.toThrow(/torn\.png cannot be decoded/);
  });
});
