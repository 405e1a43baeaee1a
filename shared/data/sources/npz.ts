// NumPy's .npz: images as arr_0 or images, uint8 [n, H, W, C] or [n, H, W]; labels, if any, as arr_1 or labels, [n].
// guided-diffusion's reference and sample batches have this form.

import { readFile } from "node:fs/promises";
import { unzipSync } from "fflate";
import { PlumeError } from "../../errors.ts";
import { memorySet } from "../memory-set.ts";
import { resizeAll } from "../resize.ts";
import type { Source } from "./source.ts";

export const npz: Source = {
  usage: "npz:FILE",
  about: "NumPy arrays: images (arr_0, uint8), labels (arr_1)",
  async open(file, { imageSize }) {
    const broken = (why: string) =>
      new PlumeError("INVALID_ARGUMENT", `${file} is no image set: ${why}`, {
        remedy: "write it by np.savez(file, images, labels) with images as uint8 [n, height, width, channels]",
      });
    const bytes = await readFile(file).catch((cause: Error) => {
      const remedy = "name a readable file: npz:FILE";
      throw new PlumeError("NOT_FOUND", `cannot read ${file}: ${cause.message}`, { remedy, cause });
    });
    const arrays = unzipped(bytes, broken);
    const named = (...names: string[]) => names.map((name) => arrays[`${name}.npy`]).find((npy) => npy !== undefined);
    const images = named("images", "arr_0");
    if (!images) throw broken(`it has no images and no arr_0, only ${Object.keys(arrays).join(", ") || "nothing"}`);
    const { descr, shape, values } = parseNpy(images, broken);
    const [n = 0, height = 0, width = 0, channels = 1] = shape;
    if (descr !== "|u1" || shape.length < 3 || shape.length > 4 || values.length !== n * height * width * channels)
      throw broken(`its images are ${descr} [${shape.join(", ")}] with ${values.length} bytes`);
    if (n === 0) throw broken("it holds no image");
    const labels = labelsOf(named("labels", "arr_1"), n, broken);
    return memorySet({
      name: `npz:${file}`,
      pixels: resizeAll(values, height, width, channels, imageSize),
      labels,
      height: imageSize,
      width: imageSize,
      channels,
      classes: labels ? Array.from({ length: Math.max(...labels) + 1 }, (_, k) => String(k)) : [],
    });
  },
};

type Broken = (why: string) => PlumeError;

function unzipped(bytes: Uint8Array, broken: Broken): Record<string, Uint8Array> {
  try {
    return unzipSync(bytes);
  } catch (error) {
    throw broken((error as Error).message);
  }
}

/** numpy.lib.format, versions 1 to 3: magic, version, length of the header, a Python dictionary, the values. */
function parseNpy(npy: Uint8Array, broken: Broken) {
  const view = new DataView(npy.buffer, npy.byteOffset, npy.byteLength);
  if (npy.length < 12 || view.getUint32(0) !== 0x934e554d) throw broken("an array has no NumPy header");
  const from = npy[6] === 1 ? 10 : 12;
  const end = from + (npy[6] === 1 ? view.getUint16(8, true) : view.getUint32(8, true));
  const header = Buffer.from(npy.subarray(from, end)).toString("latin1");
  const descr = /'descr': '([^']+)'/.exec(header)?.[1] ?? "?";
  const shape = /'shape': \(([^)]*)\)/.exec(header)?.[1];
  if (shape === undefined || /'fortran_order': True/.test(header))
    throw broken(`an array has the header ${header.trim()}`);
  const sides = shape.split(",").filter((side) => side.trim() !== "");
  return { descr, shape: sides.map(Number), values: npy.subarray(end) };
}

const INTEGERS: Readonly<Record<string, (view: DataView, k: number) => number>> = {
  "|u1": (view, k) => view.getUint8(k),
  "|i1": (view, k) => view.getInt8(k),
  "<i4": (view, k) => view.getInt32(4 * k, true),
  "<i8": (view, k) => Number(view.getBigInt64(8 * k, true)),
};

/** @throws when there is not one class number, 0 or more, an image. */
function labelsOf(npy: Uint8Array | undefined, n: number, broken: Broken): number[] | null {
  if (!npy) return null;
  const { descr, shape, values } = parseNpy(npy, broken);
  const read = INTEGERS[descr];
  if (!read || shape.length !== 1 || shape[0] !== n)
    throw broken(`its labels are ${descr} [${shape.join(", ")}] for ${n} images`);
  const view = new DataView(values.buffer, values.byteOffset, values.byteLength);
  const labels = Array.from({ length: n }, (_, k) => read(view, k));
  const wrong = labels.find((label) => label < 0 || label >= MOST_CLASSES);
  if (wrong !== undefined) throw broken(`a label is ${wrong}; classes are numbered from 0 to ${MOST_CLASSES - 1}`);
  return labels;
}

const MOST_CLASSES = 100_000;
