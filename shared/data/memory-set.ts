// An image set that lies in memory as uint8: what small sets (IDX, CIFAR, shapes) become once they are read.

import { createHash } from "node:crypto";
import { PlumeError } from "../errors.ts";
import type { ImageSet } from "./image-set.ts";

export interface MemorySetOptions {
  readonly name: string;
  /** uint8 [n, height, width, channels]. */
  readonly pixels: Uint8Array;
  /** uint8 or int32 [n]; absent without labels. */
  readonly labels: ArrayLike<number> | null;
  readonly height: number;
  readonly width: number;
  readonly channels: number;
  readonly classes: readonly string[];
  /** One a sample; absent without captions. */
  readonly captions?: readonly string[];
}

export function memorySet(options: MemorySetOptions): ImageSet {
  const { name, pixels, labels, height, width, channels, classes, captions } = options;
  const imageSize = height * width * channels;
  const size = pixels.length / imageSize;
  const hash = createHash("sha256").update(`${height}x${width}x${channels}\n`).update(pixels);
  if (labels) hash.update(Uint8Array.from(labels));
  if (captions) hash.update(captions.join("\n"));
  return {
    name,
    size,
    height,
    width,
    channels,
    classes,
    ...(captions && { captions: { lacking: null } }),
    digest: hash.digest("hex"),
    async read(ids, signal) {
      signal?.throwIfAborted();
      const out = new Uint8Array(ids.length * imageSize);
      const outLabels = new Int32Array(ids.length).fill(-1);
      ids.forEach((id, i) => {
        checkId(name, id, size);
        out.set(pixels.subarray(id * imageSize, (id + 1) * imageSize), i * imageSize);
        if (labels) outLabels[i] = labels[id]!;
      });
      return { pixels: out, labels: outLabels, ...(captions && { captions: ids.map((id) => captions[id]!) }) };
    },
    async close() {},
  };
}

export function checkId(name: string, id: number, size: number): void {
  if (!Number.isInteger(id) || id < 0 || id >= size)
    throw new PlumeError("INVALID_ARGUMENT", `sample ${id} is outside ${name}, which has ${size}`, {
      remedy: `choose 0 to ${size - 1}`,
    });
}
