// plume data: which data sets there are, what is in one, and fetching it.

import { Command } from "commander";
import { dataSchema } from "../../../shared/config/data.ts";
import { counted } from "../../../shared/counted.ts";
import type { SetStorage } from "../../../shared/data/image-set.ts";
import { openImageSet } from "../../../shared/data/open.ts";
import { writeGrid } from "../../../shared/data/picture.ts";
import { downloadFashionMnist, localFashionMnist } from "../../../shared/data/sources/fashion-mnist.ts";
import { SOURCES } from "../../../shared/data/sources/index.ts";
import { PlumeError } from "../../../shared/errors.ts";
import { action, type CommandIo } from "../action.ts";
import { oneOf, wholeNumber } from "../options.ts";
import { table } from "../table.ts";

export function dataCommand(): Command {
  const command = new Command("data").description("data sets: list, inspect, fetch").addHelpText(
    "after",
    `
Examples:
  plume data ls
  plume data inspect fashion-mnist --count 40 -o fashion.png
  plume data inspect images:photos --image-size 64
  plume data inspect captions: --image-size 16 -o captions.png
  plume data inspect wds:s3://bucket/shards/ --endpoint http://127.0.0.1:9000
  plume data pull fashion-mnist`,
  );
  command.command("ls").description("the sources that data.source can name, and which are here").action(action(ls));
  command
    .command("inspect")
    .description("sizes, classes, statistics, and a picture of some samples")
    .argument("<source>", "as data.source in a job")
    .option("--image-size <n>", "pixels a side", "28")
    .option("--endpoint <url>", "of an S3 store, as spec.store.endpoint in a job")
    .option("--split <which>", "train | test", "train")
    .option("--count <n>", "samples in the picture", "40")
    .option("-o, --output <file>", "FILE.png to draw them to")
    .action(action(inspect));
  command
    .command("pull")
    .description("fetch a data set into the cache")
    .argument("<name>", "fashion-mnist")
    .action(action(pull));
  return command;
}

async function ls(io: CommandIo): Promise<undefined> {
  const folder = localFashionMnist("train");
  const rows = Object.values(SOURCES).map(({ usage, about }) => ({
    usage,
    about,
    here: usage === "fashion-mnist" ? folder : null,
  }));
  io.print(
    table([
      ["source", "what it is"],
      ...rows.map(({ usage, about, here }) => [usage, here ? `${about} (in ${here})` : about]),
    ]),
  );
  io.result({ sources: rows });
  return undefined;
}

interface InspectOptions {
  readonly imageSize: string;
  readonly endpoint?: string;
  readonly split: string;
  readonly count: string;
  readonly output?: string;
}

/** Samples read for the statistics. */
const STATISTICS_SAMPLES = 5000;

async function inspect(io: CommandIo, options: InspectOptions, source: string): Promise<undefined> {
  if (options.output !== undefined && !options.output.endsWith(".png"))
    throw new PlumeError("INVALID_ARGUMENT", `-o ${options.output} is no .png`, {
      remedy: "for example -o samples.png",
    });
  const parsed = dataSchema.safeParse({ source, imageSize: wholeNumber("--image-size", options.imageSize, 1) });
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    throw new PlumeError("INVALID_ARGUMENT", `${issue!.path.join(".")}: ${issue!.message}`, {
      remedy: "for example plume data inspect shapes: --image-size 32",
    });
  }
  const data = parsed.data;
  const set = await openImageSet(data, {
    split: oneOf("--split", options.split, ["train", "test"]),
    access: { endpoint: options.endpoint },
    signal: io.signal,
  });
  try {
    const looked = Math.min(set.size, STATISTICS_SAMPLES);
    const { pixels, labels, captions } = await set.read(
      Array.from({ length: looked }, (_, k) => Math.floor((k * set.size) / looked)),
      io.signal,
    );
    const { mean, std } = moments(pixels);
    const perClass = set.classes.map((name, k) => ({
      name,
      samples: labels.reduce((n, label) => n + Number(label === k), 0),
    }));
    io.print(
      `${set.name}: ${counted(set.size, "image")} of ${set.height}x${set.width}x${set.channels}, ${set.classes.length === 1 ? "1 class" : `${set.classes.length || "no"} classes`}`,
    );
    io.print(
      `pixels: mean ${mean.toFixed(2)}, standard deviation ${std.toFixed(2)} (of 0..255, over ${looked} samples)`,
    );
    if (perClass.length > 0)
      io.print(
        table([
          ["class", "samples looked at"],
          ...perClass.map(({ name, samples }, k) => [`${k} ${name}`, String(samples)]),
        ]),
      );
    if (captions) io.print(table([["captions"], ...captions.slice(0, SHOWN_CAPTIONS).map((caption) => [caption])]));
    if (set.captions?.lacking) io.print(`captions of some alone: ${set.captions.lacking} has none`);
    io.print(`digest ${set.digest}`);
    if (set.fallback) io.note(`WARNING: ${set.fallback}`);
    if (options.output !== undefined) {
      const count = Math.min(set.size, wholeNumber("--count", options.count, 1));
      const shown = await set.read(
        Array.from({ length: count }, (_, k) => k),
        io.signal,
      );
      const { height, width, channels } = set;
      await writeGrid(options.output, shown.pixels, { count, height, width, channels, columns: Math.min(10, count) });
      io.print(`the first ${count} in ${options.output}`);
    }
    const storage = (await set.storage?.()) ?? null;
    if (storage) printStorage(io, storage);
    const { name, size, height, width, channels, digest } = set;
    io.result({
      name,
      size,
      height,
      width,
      channels,
      digest,
      mean,
      std,
      classes: perClass,
      captions: captions?.slice(0, SHOWN_CAPTIONS) ?? null,
      picture: options.output ?? null,
      fallback: set.fallback ?? null,
      storage,
    });
  } finally {
    await set.close();
  }
  return undefined;
}

/** Captions and objects in the tables. */
const SHOWN_CAPTIONS = 5;
const SHOWN_OBJECTS = 10;

function printStorage(io: CommandIo, { objects, cachedBytes }: SetStorage): void {
  const bytes = objects.reduce((sum, { size }) => sum + size, 0);
  const cached = cachedBytes === null ? "" : `, ${mib(cachedBytes)} in this host's cache`;
  io.print(`lies in ${counted(objects.length, "object")} of ${mib(bytes)}${cached}`);
  const isOneEach = objects.every(({ samples }) => samples === 1);
  if (isOneEach) return;
  io.print(
    table([
      ["object", "size", "samples"],
      ...objects.slice(0, SHOWN_OBJECTS).map(({ key, size, samples }) => [key, mib(size), String(samples)]),
    ]),
  );
  if (objects.length > SHOWN_OBJECTS) io.print(`and ${objects.length - SHOWN_OBJECTS} more`);
}

const mib = (bytes: number): string => `${(bytes / 2 ** 20).toFixed(bytes < 10 * 2 ** 20 ? 2 : 0)} MiB`;

function moments(pixels: Uint8Array): { mean: number; std: number } {
  let sum = 0;
  let squares = 0;
  for (const value of pixels) {
    sum += value;
    squares += value * value;
  }
  const mean = sum / pixels.length;
  return { mean, std: Math.sqrt(Math.max(0, squares / pixels.length - mean * mean)) };
}

async function pull(io: CommandIo, _options: object, name: string): Promise<undefined> {
  oneOf("data set", name, ["fashion-mnist"]);
  const folder = localFashionMnist("train") ?? (await downloadFashionMnist("train", io.signal));
  if (!localFashionMnist("test")) await downloadFashionMnist("test", io.signal);
  io.print(`fashion-mnist is in ${folder}`);
  io.result({ name, folder });
  return undefined;
}
