// What was pictures, until newer takes its place: pixels in memory that has a bound; pictures are made of them when they are asked for.

import { randomUUID } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PlumeError, quoted } from "../../../shared/errors.ts";
import type { Pictures } from "./model.ts";

/** Of pixels, all together; the newest result is kept whatever its size. */
const MOST_BYTES = 256 << 20;

export interface Results extends Disposable {
  /** @returns its id. */
  keep(pictures: Pictures): string;
  /** @throws PlumeError NOT_FOUND. */
  of(id: string): Pictures;
  /** The very file that `plume sample -o FILE` writes. */
  file(pictures: Pictures, kind: "png" | "npy"): Promise<Buffer>;
}

export function createResults(): Results {
  const kept = new Map<string, Pictures>();
  const folder = mkdtempSync(join(tmpdir(), "plume-serve-"));
  const bytes = () => [...kept.values()].reduce((sum, { pixels }) => sum + pixels.length, 0);
  return {
    keep(pictures) {
      const id = randomUUID();
      kept.set(id, pictures);
      for (const oldest of kept.keys()) {
        if (oldest === id || bytes() <= MOST_BYTES) break;
        kept.delete(oldest);
      }
      return id;
    },
    of(id) {
      const pictures = kept.get(id);
      if (pictures) return pictures;
      throw new PlumeError("NOT_FOUND", "there are no such images, or none any more", {
        remedy: "draw them again: the same request gives the same bits",
      });
    },
    async file(pictures, kind) {
      const path = join(folder, `${randomUUID()}.${kind}`);
      await pictures.write(path);
      const contents = await readFile(path);
      await rm(path);
      return contents;
    },
    [Symbol.dispose]: () => rmSync(folder, { recursive: true, force: true }),
  };
}

/** One image, pixel for pixel, as PNG. @param name 0.png and on. @throws PlumeError NOT_FOUND. */
export async function imageOf({ image, pixels, count }: Pictures, name: string): Promise<Buffer> {
  const { height, width, channels } = image;
  const index = Number(/^(\d{1,6})\.png$/.exec(name)?.[1] ?? count);
  if (index >= count || (channels !== 1 && channels !== 3))
    throw new PlumeError("NOT_FOUND", `${quoted(name)} is no picture of these`, {
      remedy: "the answer to the request lists them",
    });
  const size = height * width * channels;
  const { default: sharp } = await import("sharp");
  const raw = pixels.subarray(index * size, (index + 1) * size);
  return sharp(raw, { raw: { width, height, channels } }).png().toBuffer();
}
