import { mkdirSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import sharp from "sharp";
import { describe, expect, it } from "vitest";
import { readImages } from "../../coordinator/cli/commands/eval/images.ts";
import { encodeNpy } from "../../shared/data/npy.ts";
import { scratchFolder } from "../support/plume.ts";
import { refusalOf } from "../support/refusal.ts";

const scratch = scratchFolder();
const classes = ["T-shirt/top", "Trouser", "Bag"];
const read = (path: string, labels?: string) =>
  readImages(path, { labels, classes, signal: new AbortController().signal });

/** What is wrong, and that it exits as a mistake of the user. */
async function refused(path: string, labels?: string): Promise<string> {
  const error = await refusalOf(read(path, labels));
  expect(error.exitCode).toBe(2);
  expect(error.remedy).toBeTruthy();
  return error.message;
}

function file(name: string, bytes: Uint8Array): string {
  const path = scratch.file(name);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, bytes);
  return path;
}

const bytes = (n: number) => Uint8Array.from({ length: n }, (_, k) => (31 * k) % 256);
const npy = (name: string, ...shape: number[]) =>
  file(name, encodeNpy(bytes(shape.reduce((product, side) => product * side, 1)), shape));

/** The same array under another type's name. */
const retyped = (name: string, descr: string, values: Uint8Array, ...shape: number[]) =>
  file(name, Buffer.from(Buffer.from(encodeNpy(values, shape)).toString("latin1").replace("|u1", descr), "latin1"));

const picture = (pixels: Uint8Array, width: number, height: number) =>
  sharp(pixels, { raw: { width, height, channels: 1 } })
    .png()
    .toBuffer();

async function folder(name: string, places: readonly string[], side = 28): Promise<string> {
  for (const [k, place] of places.entries()) {
    const pixels = bytes(side * side).map((v) => (v + k) % 256);
    file(`${name}/${place}`, await picture(pixels, side, side));
  }
  return scratch.file(name);
}

const twelve = (prefix = "") => Array.from({ length: 12 }, (_, k) => `${prefix}${String(k).padStart(2, "0")}.png`);

describe("the images of plume eval --against", () => {
  it("are read from a folder, grey as they are, without labels where they lie side by side", async () => {
    const { pixels, labels } = await read(await folder("plain", twelve()));
    expect(labels).toBeNull();
    expect(pixels.length).toBe(12 * 784);
    expect([...pixels.subarray(784, 2 * 784)]).toEqual([...bytes(784).map((v) => (v + 1) % 256)]);
  });

  it("have the classes of their subfolders, by number or by name", async () => {
    const path = await folder("named", [...twelve("bag/"), ...twelve("1/")]);
    expect((await read(path)).labels).toEqual(Int32Array.from({ length: 24 }, (_, k) => (k < 12 ? 1 : 2)));
  });

  it("are read from .npy files with or without an axis for channels, and grey where there are three", async () => {
    for (const shape of [
      [10, 28, 28],
      [10, 28, 28, 1],
    ])
      expect([...(await read(npy("a.npy", ...shape))).pixels]).toEqual([...bytes(7840)]);
    const grey = bytes(7840);
    const colour = Uint8Array.from({ length: 3 * 7840 }, (_, k) => grey[Math.floor(k / 3)]!);
    const path = file("colour.npy", encodeNpy(colour, [10, 28, 28, 3]));
    expect((await read(path)).pixels).toEqual(bytes(7840));
  });

  it("have the labels of --labels, of any type of integers", async () => {
    const images = npy("b.npy", 10, 28, 28, 1);
    const labels = Array.from({ length: 10 }, (_, k) => k % 3);
    const long = new Uint8Array(BigInt64Array.from(labels, BigInt).buffer);
    const written = Buffer.from(encodeNpy(long, [10]))
      .toString("latin1")
      .replace("|u1", "<i8");
    for (const path of [
      file("u1.npy", encodeNpy(Uint8Array.from(labels), [10])),
      file("i8.npy", Buffer.from(written, "latin1")),
    ])
      expect((await read(images, path)).labels).toEqual(Int32Array.from(labels));
  });
});

describe("plume eval --against refuses, by name and with a way out,", () => {
  it("what is not there", async () => {
    expect(await refused(scratch.file("none"))).toContain("there is no such folder or file");
  });

  it("a file that is no .npy", async () => {
    expect(await refused(file("x.txt", bytes(3)))).toContain("neither a folder nor a .npy file");
    expect(await refused(file("text.npy", Buffer.from("not an array at all")))).toContain("no NumPy header");
  });

  it("a folder without images, and one with too few", async () => {
    mkdirSync(scratch.file("empty"));
    expect(await refused(scratch.file("empty"))).toContain("holds no PNG, JPEG or WebP image");
    expect(await refused(await folder("few", ["a.png", "b.png"]))).toContain("it holds 2 images");
  });

  it("an array of no images, of another shape, another type or another size", async () => {
    expect(await refused(npy("zero.npy", 0, 28, 28, 1))).toContain("it holds no image");
    expect(await refused(npy("flat.npy", 10, 784))).toContain("|u1 [10, 784]");
    expect(await refused(npy("large.npy", 10, 32, 32, 1))).toContain("its images are 32x32, the judge sees 28x28");
    expect(await refused(npy("two.npy", 10, 28, 28, 2))).toContain("2 channels");
    const floats = retyped("float.npy", "<f4", bytes(4 * 7840), 10, 28, 28, 1);
    expect(await refused(floats)).toContain("<f4 [10, 28, 28, 1]");
  });

  it("pictures of another size, and what is no picture", async () => {
    expect(await refused(await folder("big", twelve(), 32))).toMatch(/00\.png is 32x32, the judge sees 28x28/);
    const path = await folder("torn", twelve());
    file("torn/03.png", bytes(100));
    expect(await refused(path)).toContain("03.png cannot be decoded");
  });

  it("a subfolder that is no class", async () => {
    expect(await refused(await folder("odd", twelve("hat/")))).toContain("its folder hat is no class");
  });

  it("labels that are not one class an image", async () => {
    const images = npy("c.npy", 10, 28, 28, 1);
    expect(await refused(images, scratch.file("none.npy"))).toContain("there is no such file");
    expect(await refused(images, npy("nine.npy", 9))).toContain("|u1 [9] for 10 images");
    expect(await refused(images, file("high.npy", encodeNpy(new Uint8Array(10).fill(3), [10])))).toContain(
      "a label is 3",
    );
  });
});
