// Sets whose images lie in files, shards and stores: one set in every form, read from a folder and from a real S3 server.

import { copyFileSync, mkdirSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DeleteObjectCommand, PutObjectCommand } from "@aws-sdk/client-s3";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { dataSchema } from "../../shared/config/data.ts";
import { openDiskCache } from "../../shared/data/disk-cache.ts";
import { createFetch } from "../../shared/data/fetch.ts";
import type { ImageSet } from "../../shared/data/image-set.ts";
import { type OpenOptions, openImageSet } from "../../shared/data/open.ts";
import { openReader } from "../../shared/data/reader.ts";
import { tarEntries } from "../../shared/data/tar.ts";
import {
  drawPicture,
  encodePicture,
  faultOf,
  PARQUET,
  PICTURE_CLASSES,
  PICTURES,
  pictureFile,
  upload,
  writeImageFolder,
  writeShards,
  writeTar,
} from "../support/pictures.ts";
import { scratchFolder } from "../support/plume.ts";
import { useS3Server } from "../support/use-s3-server.ts";

const scratch = scratchFolder();
const server = useS3Server();

beforeAll(async () => {
  const s3 = server();
  await writeImageFolder(scratch.file("images"));
  await writeShards(scratch.file("shards"));
  await upload(s3, scratch.file("images"), "images");
  await upload(s3, scratch.file("shards"), "shards");
  await upload(s3, join(PARQUET, "set"), "parquet");
});

afterAll(() => scratch[Symbol.dispose]());

const open = (source: string, more: object = {}, options: OpenOptions = {}) =>
  openImageSet(dataSchema.parse({ source, imageSize: 8, cacheDir: scratch.file("cache"), ...more }), options);

const all = (set: ImageSet) => set.read(Array.from({ length: set.size }, (_, k) => k));
const drawn = Buffer.concat(PICTURES.map(drawPicture));
const forms = [
  { name: "images:", source: () => `images:${scratch.file("images")}`, classes: PICTURE_CLASSES },
  { name: "s3://", source: () => "s3://plume-test/images/", classes: PICTURE_CLASSES },
  { name: "wds: in a folder", source: () => `wds:${scratch.file("shards")}`, classes: ["0", "1", "2"] },
  { name: "wds: by file://", source: () => `wds:file://${scratch.file("shards")}/`, classes: ["0", "1", "2"] },
  {
    name: "wds: by braces",
    source: () => `wds:${scratch.file("shards")}/shard-{000000..000002}.tar`,
    classes: ["0", "1", "2"],
  },
  { name: "wds: in S3", source: () => "wds:s3://plume-test/shards/", classes: ["0", "1", "2"] },
  {
    name: "wds: in S3, by braces",
    source: () => "wds:s3://plume-test/shards/shard-00000{0,1,2}.tar",
    classes: ["0", "1", "2"],
  },
  { name: "parquet: in a folder", source: () => `parquet:${join(PARQUET, "set")}`, classes: PICTURE_CLASSES },
  { name: "parquet: in S3", source: () => "parquet:s3://plume-test/parquet", classes: PICTURE_CLASSES },
] as const;

describe.each(forms)("the set as $name", ({ source, classes }) => {
  it.each([
    ["with a cache", {}],
    ["with one too small for it", { cacheMiB: 1 }],
    ["without", { cacheMiB: 0 }],
  ])("has the very pixels and labels that were drawn, read in any order, %s", async (_, more) => {
    const set = await open(source(), more);
    expect([...set.classes]).toEqual([...classes]);
    for (let time = 0; time < 2; time++) {
      const { pixels, labels } = await all(set);
      expect(Buffer.compare(pixels, drawn)).toBe(0);
      expect([...labels]).toEqual(PICTURES.map((k) => k % 3));
    }
    const { pixels } = await set.read([63, 0, 17]);
    expect([...pixels.subarray(384)]).toEqual([...drawPicture(PICTURES[17]!)]);
    await set.close();
  });

  it("has one digest, whoever opens it, and says where its samples lie", async () => {
    const [a, b] = [await open(source()), await open(source(), { cacheMiB: 0 })];
    expect(a.digest).toBe(b.digest);
    expect((await open(source(), { imageSize: 4 })).digest).not.toBe(a.digest);
    const { objects } = (await a.storage?.())!;
    expect(objects.reduce((sum, { samples }) => sum + samples, 0)).toBe(64);
  });
});

describe("an index", () => {
  const copyOf = (file: string) => {
    const seen: { renewed: number; changes: string[] } = { renewed: 0, changes: [] };
    const copy = {
      file,
      renew(sealed: Uint8Array) {
        seen.renewed++;
        writeFileSync(file, sealed);
      },
      changed: (what: string) => void seen.changes.push(what),
    };
    return { copy, seen };
  };

  it("is made once, is the same for all, and tells which object changed", async () => {
    const folder = await writeShards(scratch.file("indexed"));
    const { copy, seen } = copyOf(scratch.file("data-index.bin"));
    const first = await open(`wds:${folder}`, { cacheMiB: 0 }, { copy });
    const again = await open(`wds:${folder}`, { cacheMiB: 0 }, { copy });
    expect(seen).toEqual({ renewed: 1, changes: [] });
    expect(again.digest).toBe(first.digest);
    writeTar(join(folder, "shard-000001.tar"), { "x.png": await encodePicture(1), "x.cls": Buffer.from("1") });
    const other = await open(`wds:${folder}`, { cacheMiB: 0 }, { copy });
    expect(other.digest).not.toBe(first.digest);
    expect(seen.renewed).toBe(2);
    expect(seen.changes).toEqual([expect.stringMatching(/^shard-000001\.tar has \d+ bytes, it had \d+$/)]);
  });

  it("that is torn is made again", async () => {
    const file = scratch.file("torn-index.bin");
    const { copy, seen } = copyOf(file);
    const whole = await open(`wds:${scratch.file("shards")}`, { cacheMiB: 0 }, { copy });
    const bytes = readFileSync(file);
    bytes[bytes.length >> 1]! ^= 1;
    writeFileSync(file, bytes);
    const again = await open(`wds:${scratch.file("shards")}`, { cacheMiB: 0 }, { copy });
    expect(again.digest).toBe(whole.digest);
    expect(seen.renewed).toBe(2);
  });

  it("of large images is made from their headers, a hundredth of the shard", async () => {
    const file = scratch.file("large", "a.tar");
    const noise = (k: number) => Buffer.alloc(300_000, k);
    writeTar(file, Object.fromEntries(Array.from({ length: 20 }, (_, k) => [`${k}.jpg`, noise(k)])));
    const reader = await openReader(scratch.file("large"), {});
    let read = 0;
    const fetch = createFetch({
      ...reader,
      async get(key, options) {
        const bytes = await reader.get(key, options);
        read += bytes.length;
        return bytes;
      },
    });
    const size = readFileSync(file).length;
    const { indexShard } = await import("../../shared/data/sources/wds.ts");
    const index = await indexShard("a.tar", { key: "a.tar", size, modifiedMs: 0 }, fetch, undefined);
    expect(index.names).toHaveLength(20);
    expect(read).toBeLessThan(size / 100);
  });
});

describe("tar shards", () => {
  const long = `${"deep/".repeat(50)}${"n".repeat(90)}`;

  it.each(["ustar", "gnu", "pax", "v7"])("are read as tar writes them in the %s format", async (format) => {
    const file = scratch.file(`formats/${format}.tar`);
    const name = format === "gnu" || format === "pax" ? `${long}ü.png` : "a/b/short.png";
    writeTar(
      file,
      { [name]: await encodePicture(5), "next.webp": Buffer.from("x"), "next.json": Buffer.from("{}") },
      format,
    );
    const bytes = readFileSync(file);
    const entries = [];
    for await (const entry of tarEntries(async (start, end) => bytes.subarray(start, end), bytes.length))
      entries.push(entry);
    expect(entries.map((entry) => entry.name)).toEqual([name, "next.webp", "next.json"]);
    const { start, size } = entries[0]!;
    expect(bytes.subarray(start, start + size).equals(await encodePicture(5))).toBe(true);
  });

  it("take labels from .cls, else from .json, and no sample without an image", async () => {
    const png = await encodePicture(1);
    const files = {
      "a.json": Buffer.from('{"label": 4, "caption": "x"}'),
      "a.png": png,
      "b.png": png,
      "b.cls": Buffer.from("2\n"),
      "b.json": Buffer.from('{"label": 9}'),
      "only-text.txt": Buffer.from("x"),
      "c.seg.png": Buffer.from("not the image"),
      "c.jpg": png,
      "c.cls": Buffer.from("0"),
    };
    writeTar(scratch.file("labels/a.tar"), files);
    const set = await open(`wds:${scratch.file("labels")}`);
    const { labels, pixels } = await all(set);
    expect([...labels]).toEqual([4, 2, 0]);
    expect(set.classes).toHaveLength(5);
    expect(Buffer.compare(pixels.subarray(384), drawPicture(1))).toBe(0);
  });

  it("are refused by name when they are cut off, empty, compressed, or half without labels", async () => {
    const folder = scratch.file("bad-shards");
    mkdirSync(folder);
    const file = join(folder, "bad.tar");
    const refused = async () => (await faultOf(open(`wds:${folder}`))).message;
    copyFileSync(scratch.file("shards", "shard-000000.tar"), file);
    truncateSync(file, 5000);
    expect(await refused()).toMatch(/bad\.tar is no whole WebDataset shard: .* it was cut off/);
    truncateSync(file, 4096);
    expect(await refused()).toMatch(/it ends at byte 4096 without the mark of an archive's end/);
    writeFileSync(file, Buffer.from("1f8b0800", "hex").toString("binary").padEnd(2048, "z"));
    expect(await refused()).toMatch(/no tar header at byte 0/);
    writeTar(file, { "a.txt": Buffer.from("x") });
    expect(await refused()).toMatch(/it holds no \.png, \.jpg, \.jpeg or \.webp/);
    writeTar(file, { "a.png": await encodePicture(1), "b.png": await encodePicture(2), "b.cls": Buffer.from("1") });
    expect(await refused()).toMatch(/bad\.tar: b has a label, the samples before it have none/);
    writeTar(file, { "a.png": await encodePicture(1), "a.cls": Buffer.from("cat") });
    expect(await refused()).toMatch(/a\.cls holds "cat", no class number/);
    rmSync(file);
    expect(await refused()).toMatch(/holds no WebDataset shard/);
    expect((await faultOf(open(`wds:${scratch.file("shards")}/shard-{000001..000004}.tar`))).message).toMatch(
      /shard-000003\.tar is not there \(nor are 1 others of 4\)/,
    );
    expect((await faultOf(open("wds:shard-{0..x}.tar"))).message).toMatch(/neither a list nor a range/);
  });
});

describe("parquet files", () => {
  it("need nothing of Hugging Face, name their columns as they like, and take any codec", async () => {
    const plain = await open(`parquet:${join(PARQUET, "plain.parquet")}`);
    expect({ size: plain.size, classes: plain.classes }).toEqual({ size: 6, classes: ["0", "1", "2"] });
    expect(Buffer.compare((await plain.read([5])).pixels, drawPicture(5))).toBe(0);
    const named = await open(`parquet:${join(PARQUET, "named.parquet")}`);
    expect([...named.classes]).toEqual([...PICTURE_CLASSES]);
    expect(Buffer.compare((await named.read([4])).pixels, drawPicture(4))).toBe(0);
  });

  it("are refused by name without images, when they are cut off, or compressed by a codec that nobody knows", async () => {
    const text = await faultOf(open(`parquet:${join(PARQUET, "text.parquet")}`));
    expect(text.message).toMatch(
      /text\.parquet is no parquet file of images: it has no column of images \(its columns: text\)/,
    );
    expect(text.remedy).toContain("struct of bytes and path");
    const file = scratch.file("cut.parquet");
    copyFileSync(join(PARQUET, "plain.parquet"), file);
    truncateSync(file, 2000);
    expect((await faultOf(open(`parquet:${file}`))).message).toMatch(/does not end with PAR1/);
    // LZO, which nobody implements: codec 3, in the footer's metadata of each column; gzip is 2 (zigzag varints 6 and 4).
    const bytes = readFileSync(join(PARQUET, "plain.parquet"));
    const footer = bytes.length - 8 - bytes.readUInt32LE(bytes.length - 8);
    for (let at = footer; at < bytes.length - 8; at++)
      if (bytes[at] === 0x15 && bytes[at + 1] === 0x04 && bytes[at + 2] === 0x16) bytes[at + 1] = 0x06;
    writeFileSync(file, bytes);
    expect((await faultOf(open(`parquet:${file}`))).message).toMatch(/it is compressed with LZO/);
  });
});

describe("a store", () => {
  it("that has no such bucket, prefix or scheme is named", async () => {
    expect((await faultOf(open("s3://no-such-bucket/x/"))).message).toContain("no bucket no-such-bucket");
    expect((await faultOf(open("s3://plume-test/nothing/"))).message).toContain("holds no PNG, JPEG or WebP image");
    expect((await faultOf(open("wds:s3://plume-test/images/"))).message).toMatch(
      /holds no WebDataset shard.* only 64 others/,
    );
    expect((await faultOf(open("wds:gs://bucket/x/"))).message).toContain("cannot be read over gs://");
  });

  it("may have names of any kind", async () => {
    const { client, bucket } = server();
    const Key = "odd names/très bien (1)/a&b #2.png";
    await client.send(new PutObjectCommand({ Bucket: bucket, Key, Body: await encodePicture(7) }));
    const set = await open("s3://plume-test/odd names/");
    expect([...set.classes]).toEqual(["très bien (1)"]);
    expect(Buffer.compare((await set.read([0])).pixels, drawPicture(7))).toBe(0);
  });

  it("that lost an object, or has another one in its place, fails the read by name, also under skip", async () => {
    await upload(server(), scratch.file("images"), "volatile");
    const { client, bucket } = server();
    const set = await open("s3://plume-test/volatile/", { onError: "skip", cacheMiB: 0 });
    const [gone, other] = [pictureFile(PICTURES[3]!), pictureFile(PICTURES[4]!)].map((name) => `volatile/${name}`);
    await client.send(new DeleteObjectCommand({ Bucket: bucket, Key: gone! }));
    await client.send(new PutObjectCommand({ Bucket: bucket, Key: other!, Body: Buffer.from("short") }));
    expect(await faultOf(set.read([3]))).toMatchObject({ code: "NOT_FOUND", message: expect.stringContaining(gone!) });
    expect(await faultOf(set.read([4]))).toMatchObject({
      code: "INVALID_ARGUMENT",
      message: expect.stringMatching(/has changed since it was indexed: 5 bytes/),
    });
  });

  it("that is away for a moment is waited for", async () => {
    const set = await open("s3://plume-test/images/", { cacheMiB: 0 });
    await server().kill();
    const reading = set.read([1, 2]);
    await new Promise((resolve) => setTimeout(resolve, 700));
    await server().restart();
    expect(Buffer.compare((await reading).pixels, drawn.subarray(192, 3 * 192))).toBe(0);
  });
});

describe("the cache", () => {
  it("is what is read the second time, by any process; what is damaged or deleted is fetched again", async () => {
    const cacheDir = scratch.file("own-cache");
    const openIt = () => open("wds:s3://plume-test/shards/", { cacheDir });
    await all(await openIt());
    const cached = await openIt();
    expect(await cached.storage?.()).toMatchObject({ cachedBytes: expect.any(Number) });
    await server().kill();
    try {
      expect(Buffer.compare((await all(cached)).pixels, drawn)).toBe(0);
    } finally {
      await server().restart();
    }
    for (const file of filesOf(cacheDir)) {
      const bytes = readFileSync(file);
      bytes[bytes.length - 100]! ^= 0x40;
      writeFileSync(file, bytes);
    }
    expect(Buffer.compare((await all(await openIt())).pixels, drawn)).toBe(0);
    rmSync(cacheDir, { recursive: true });
    expect(Buffer.compare((await all(cached)).pixels, drawn)).toBe(0);
    expect(filesOf(cacheDir).length).toBeGreaterThan(0);
  });

  it("is worth nothing where it cannot be written, and harms nobody", async () => {
    const file = scratch.file("no-folder");
    writeFileSync(file, "");
    expect(Buffer.compare((await all(await open("s3://plume-test/images/", { cacheDir: file }))).pixels, drawn)).toBe(
      0,
    );
    const parquet = await open("parquet:s3://plume-test/parquet/", { cacheDir: file });
    expect(Buffer.compare((await all(parquet)).pixels, drawn)).toBe(0);
  });

  it("holds what several processes put, below its bound", async () => {
    const folder = scratch.file("bounded");
    const bound = 4 << 20;
    const caches = Array.from({ length: 4 }, () => openDiskCache(folder, bound));
    for (let k = 0; k < 400; k++) {
      const bytes = Buffer.alloc(20_000, k % 251);
      const got = await caches[k % 4]!.read(`entry ${k}`, { start: 100, end: 110 }, async () => bytes);
      expect([...got]).toEqual(new Array(10).fill(k % 251));
      if (k % 50 === 0) expect(sizeOf(folder)).toBeLessThanOrEqual(bound);
    }
    expect(sizeOf(folder)).toBeLessThanOrEqual(bound);
    expect(sizeOf(folder)).toBeGreaterThan(bound / 2);
    const newest = await caches[0]!.read("entry 399", undefined, () => Promise.reject(new Error("not there")));
    expect(newest.length).toBe(20_000);
  });
});

const filesOf = (folder: string): string[] =>
  readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));

const sizeOf = (folder: string): number => filesOf(folder).reduce((sum, file) => sum + readFileSync(file).length, 0);
