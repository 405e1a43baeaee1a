// Fashion-MNIST (Xiao, Rasul, Vollgraf 2017): from Debian's package, the cache, or its public home, verified by sha256.

import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { cacheFolder } from "../../cache-folder.ts";
import { PlumeError } from "../../errors.ts";
import { openIdx } from "./idx.ts";
import { DEFAULT_SHAPES, openShapes } from "./shapes.ts";
import type { Source, Split } from "./source.ts";

export const fashionMnist: Source = {
  usage: "fashion-mnist",
  about: "60,000 grey images of clothing, 28x28, ten classes",
  async open(_argument, { imageSize, split, signal }) {
    try {
      const folder = localFashionMnist(split) ?? (await downloadFashionMnist(split, signal));
      return await openIdx(folder, imageSize, split, { name: "fashion-mnist", classes: FASHION_CLASSES });
    } catch (error) {
      if (!(error instanceof PlumeError) || error.code !== "UNAVAILABLE") throw error;
      const fallback = `Fashion-MNIST is not here (${error.message}): trained on the procedural shapes instead. Run npm run setup:data for the real images`;
      return { ...openShapes(DEFAULT_SHAPES, imageSize), fallback };
    }
  },
};

const FASHION_CLASSES = [
  "T-shirt/top",
  "Trouser",
  "Pullover",
  "Dress",
  "Coat",
  "Sandal",
  "Shirt",
  "Sneaker",
  "Bag",
  "Ankle boot",
] as const;

/** Where Debian's dataset-fashion-mnist puts it. */
const PACKAGE_FOLDER = "/usr/share/datasets/fashion-mnist";
const HOME = "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/";

/** sha256 of the uncompressed files: compression differs between the publisher's and Debian's. */
const FILES = {
  train: {
    "train-images-idx3-ubyte.gz": "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
    "train-labels-idx1-ubyte.gz": "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
  },
  test: {
    "t10k-images-idx3-ubyte.gz": "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
    "t10k-labels-idx1-ubyte.gz": "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
  },
} as const;

/** The folder that has the split now, without any network; null when there is none. */
export function localFashionMnist(split: Split): string | null {
  const names = Object.keys(FILES[split]);
  const candidates = [PACKAGE_FOLDER, cacheFolder("fashion-mnist")];
  return candidates.find((folder) => names.every((name) => existsSync(join(folder, name)))) ?? null;
}

/** Fetches a split into the cache, whole files only. @returns the folder. */
export async function downloadFashionMnist(split: Split, signal?: AbortSignal): Promise<string> {
  const folder = cacheFolder("fashion-mnist");
  await mkdir(folder, { recursive: true });
  for (const [name, wanted] of Object.entries(FILES[split])) {
    const file = join(folder, name);
    if (existsSync(file) && sha256(await readFile(file)) === wanted) continue;
    const bytes = await fetchBytes(HOME + name, signal);
    const got = sha256(bytes);
    if (got !== wanted) throw new PlumeError("DATA_LOSS", `${HOME}${name} has sha256 ${got}, expected ${wanted}`);
    await writeFile(`${file}.partial`, bytes);
    await rename(`${file}.partial`, file);
  }
  return folder;
}

async function fetchBytes(url: string, signal?: AbortSignal): Promise<Buffer> {
  const limit = AbortSignal.timeout(60_000);
  try {
    const response = await fetch(url, { signal: signal ? AbortSignal.any([signal, limit]) : limit });
    if (!response.ok) throw new Error(`HTTP ${response.status}`);
    return Buffer.from(await response.arrayBuffer());
  } catch (cause) {
    throw new PlumeError("UNAVAILABLE", `Fashion-MNIST cannot be downloaded: ${(cause as Error).message}`, {
      remedy:
        "run npm run setup:data on a machine with apt, or put the four .gz files into ~/.cache/plume/fashion-mnist",
      cause,
    });
  }
}

const sha256 = (gzipped: Uint8Array): string => createHash("sha256").update(gunzipSync(gzipped)).digest("hex");
