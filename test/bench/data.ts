// npm run bench:data -- data from object stores: WebDataset shards of Fashion-MNIST on a real S3 server. How long the
// quickstart's workers wait for samples, and what one core loads from each source. [--quick] [--json FILE]

import { spawn, spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import sharp from "sharp";
import { dataSchema } from "../../shared/config/data.ts";
import { openImageSet } from "../../shared/data/open.ts";
import { PlumeError } from "../../shared/errors.ts";
import { ROOT } from "../../shared/root.ts";
import { fileStore } from "../../shared/store/file.ts";
import type { ObjectStore } from "../../shared/store/object-store.ts";
import { openStore } from "../../shared/store/open.ts";
import { type S3Server, startS3Server } from "../support/s3-server.ts";
import { COMMON_OPTIONS, finish, machineLine, markdownTable, type Summary, spread, summarise } from "./measure.ts";

const { values: options } = parseArgs({ options: COMMON_OPTIONS });
const IMAGES = options.quick ? 400 : 10_000;
const PER_SHARD = options.quick ? 200 : 1_000;
const STEPS = options.quick ? 20 : 300;
/** Until the processes and the device have warmed up. */
const LEFT_OUT = 5;
const RUNS = options.quick ? 1 : 3;
/** As a worker's micro-batches are, several on the way at once. */
const [BATCH, AT_ONCE] = [16, 8];

const folder = mkdtempSync(join(tmpdir(), "plume-bench-"));
process.on("exit", () => rmSync(folder, { recursive: true, force: true }));

interface Picture {
  readonly name: string;
  readonly label: number;
  readonly png: Buffer;
}

async function fashionPictures(): Promise<Picture[]> {
  const set = await openImageSet(dataSchema.parse({ source: "fashion-mnist", limit: IMAGES }));
  if (set.fallback) throw new PlumeError("UNAVAILABLE", set.fallback, { remedy: "npm run setup:data" });
  const { pixels, labels } = await set.read(Array.from({ length: set.size }, (_, k) => k));
  return Promise.all(
    Array.from(labels, async (label, k) => {
      const raw = { width: 28, height: 28, channels: 1 as const };
      const png = await sharp(pixels.subarray(k * 784, (k + 1) * 784), { raw })
        .png()
        .toBuffer();
      return { name: String(k).padStart(6, "0"), label, png };
    }),
  );
}

/** A ustar archive of NAME.png and NAME.cls. */
function tarOf(pictures: readonly Picture[]): Buffer {
  const parts = pictures.flatMap(({ name, label, png }) => [
    ...tarEntry(`${name}.png`, png),
    ...tarEntry(`${name}.cls`, Buffer.from(String(label))),
  ]);
  return Buffer.concat([...parts, Buffer.alloc(1024)]);
}

function tarEntry(name: string, bytes: Buffer): Buffer[] {
  const header = Buffer.alloc(512);
  header.write(name, 0);
  header.write(`0000644\0${"0000000\0".repeat(2)}`, 100);
  header.write(`${bytes.length.toString(8).padStart(11, "0")}\0${"0".repeat(11)}\0        0`, 124);
  header.write("ustar\x0000", 257);
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148);
  return [header, bytes, Buffer.alloc((512 - (bytes.length % 512)) % 512)];
}

async function writeSets(pictures: readonly Picture[], stores: readonly ObjectStore[]): Promise<void> {
  for (const store of stores) {
    for (let from = 0; from < pictures.length; from += PER_SHARD)
      await store.put(
        `shards/${String(from / PER_SHARD).padStart(6, "0")}.tar`,
        tarOf(pictures.slice(from, from + PER_SHARD)),
      );
    for (let from = 0; from < pictures.length; from += BATCH)
      await Promise.all(
        pictures.slice(from, from + BATCH).map(({ name, label, png }) => store.put(`images/${label}/${name}.png`, png)),
      );
  }
}

/** Hugging Face's form, by Python's pyarrow if it is there. @returns why not, or null. */
function writeParquet(from: string, to: string): string | null {
  const python = process.env.PLUME_PYTHON ?? "/usr/bin/python3";
  mkdirSync(to, { recursive: true });
  const script = `
import sys, pathlib, pyarrow as pa, pyarrow.parquet as pq
files = sorted(pathlib.Path(sys.argv[1]).rglob("*.png"))
images = pa.array([{"bytes": f.read_bytes(), "path": f.name} for f in files])
pq.write_table(pa.table({"image": images, "label": pa.array([int(f.parent.name) for f in files], pa.int64())}), sys.argv[2] + "/train.parquet", row_group_size=1000)
`;
  const { status, stderr } = spawnSync(python, ["-c", script, from, to], { encoding: "utf8" });
  return status === 0 ? null : `parquet: ${python}: ${stderr.trim().split("\n").at(-1)}`;
}

interface Load {
  readonly wall: number;
  /** Of all threads of this process. */
  readonly core: number;
}

/** Every image once, in the order of the set's permutation. @returns images a second, by the clock and by CPU time. */
async function load(source: string, cacheDir: string): Promise<Load> {
  const set = await openImageSet(dataSchema.parse({ source, imageSize: 28, cacheDir }));
  const cpu = process.cpuUsage();
  const started = performance.now();
  // A stride that is prime to the size: far apart, as the permutation's are.
  const ids = Array.from({ length: set.size }, (_, k) => (k * 7919) % set.size);
  let next = 0;
  const lane = async () => {
    while (next < ids.length) {
      const batch = ids.slice(next, next + BATCH);
      next += BATCH;
      await set.read(batch);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, lane));
  const seconds = (performance.now() - started) / 1000;
  const { user, system } = process.cpuUsage(cpu);
  await set.close();
  return { wall: set.size / seconds, core: set.size / ((user + system) / 1e6) };
}

interface Loader {
  readonly source: string;
  readonly first: Record<keyof Load, Summary>;
  readonly again: Record<keyof Load, Summary>;
}

async function measureLoader(source: string, k: number): Promise<Loader> {
  const passes: Load[][] = [[], []];
  for (let run = 0; run < RUNS; run++)
    for (const pass of passes) pass.push(await load(source, join(folder, `cache-${k}-${run}`)));
  const of = (pass: readonly Load[]) => ({
    wall: summarise(pass.map(({ wall }) => wall)),
    core: summarise(pass.map(({ core }) => core)),
  });
  return { source, first: of(passes[0]!), again: of(passes[1]!) };
}

interface Seconds {
  readonly data: number;
  readonly total: number;
}

/** The quickstart's network, two workers. @returns the share of the steps' time in which no worker waited for samples. */
async function busy(s3: S3Server, name: string, source: string): Promise<{ busy: number; images: number }> {
  const out = join(folder, `run-${name}`);
  const less = ["sampling.count=0", `data.source=${source}`, `data.cacheDir=${join(folder, `cache-${name}`)}`];
  const args = ["train", "-f", join(ROOT, "deploy/jobs/fashion.yaml"), "--out", out, "--steps", String(STEPS)];
  await run([...args, "--workers", "2", ...less.flatMap((pair) => ["--set", pair])], s3.env);
  const steps = readFileSync(join(out, "metrics.ndjson"), "utf8")
    .split("\n")
    .filter(Boolean)
    .slice(LEFT_OUT)
    .map((line) => (JSON.parse(line) as { seconds: Seconds }).seconds);
  const sum = (part: keyof Seconds) => steps.reduce((total, seconds) => total + seconds[part], 0);
  return { busy: 1 - sum("data") / sum("total"), images: (64 * steps.length) / sum("total") };
}

/** Not in this process's time: it waits. */
async function run(args: readonly string[], env: Readonly<Record<string, string>>): Promise<void> {
  const child = spawn(process.execPath, [join(ROOT, "coordinator/cli/plume.mjs"), ...args], {
    env: { ...process.env, ...env },
    stdio: ["ignore", "ignore", "pipe"],
  });
  let stderr = "";
  child.stderr.on("data", (chunk: Buffer) => {
    stderr += chunk;
  });
  const code = await new Promise((resolve) => child.on("close", resolve));
  if (code !== 0) throw new PlumeError("INTERNAL", `plume ${args.join(" ")} ended with ${code}\n${stderr}`);
}

console.log(machineLine());
await using s3 = await startS3Server();
Object.assign(process.env, s3.env);
const bucket = `s3://${s3.bucket}`;
const pictures = await fashionPictures();
await writeSets(pictures, [fileStore(join(folder, "sets"), { flush: false }), await openStore(bucket)]);
const missing = [writeParquet(join(folder, "sets/images"), join(folder, "sets/parquet"))].filter((why) => why !== null);
const parquet = readdirSync(join(folder, "sets/parquet"));
if (parquet.length > 0)
  await (await openStore(bucket)).put("parquet/train.parquet", readFileSync(join(folder, "sets/parquet", parquet[0]!)));

const memory = await busy(s3, "memory", "fashion-mnist");
const shards = await busy(s3, "shards", `wds:${bucket}/shards/`);
console.log(
  `\nThe quickstart's network, 2 workers, ${STEPS} steps, the first ${LEFT_OUT} left out; busy: 1 - (the longest wait of a worker for its samples, summed) / (all of the steps' time)\n`,
);
console.log(
  markdownTable([
    ["source", "busy", "images/s"],
    ["fashion-mnist, in memory", memory.busy.toFixed(4), memory.images.toFixed(0)],
    [`wds: in S3, ${IMAGES} images, cold cache`, shards.busy.toFixed(4), shards.images.toFixed(0)],
  ]),
);

const sets = join(folder, "sets");
const loaders: Loader[] = [];
for (const [k, source] of [
  `images:${sets}/images`,
  `${bucket}/images/`,
  `wds:${sets}/shards`,
  `wds:${bucket}/shards/`,
  ...(parquet.length > 0 ? [`parquet:${sets}/parquet`, `parquet:${bucket}/parquet/`] : []),
].entries())
  loaders.push(await measureLoader(source, k));
console.log(`\nImages a second, ${IMAGES} PNG files of 28x28, one process, ${RUNS} run${RUNS === 1 ? "" : "s"}\n`);
console.log(
  markdownTable([
    ["source", "a core, first pass", "a core, second pass", "by the clock, first", "by the clock, second"],
    ...loaders.map(({ source, first, again }) => [
      source.replace(sets, "DIR").replace(bucket, "s3://BUCKET"),
      ...[first.core, again.core, first.wall, again.wall].map((figure) => spread(figure, 0)),
    ]),
  ]),
);
finish("data", options.json, {
  ratios: { busy: shards.busy, busyInMemory: memory.busy },
  results: { images: IMAGES, steps: STEPS, memory, shards, loaders },
  missing,
});
