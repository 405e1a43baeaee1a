// NumPy's .npy format: numpy.lib.format, versions 1 to 3. Magic, version, length of the header, a Python dictionary, the
// values.

import type { PlumeError } from "../errors.ts";

export interface NpyArray {
  /** NumPy's word for the type: |u1, <i8, <f4. */
  readonly descr: string;
  readonly shape: readonly number[];
  /** Little-endian as they lie in the file, row-major. */
  readonly values: Uint8Array;
}

/** Makes the error of a file that is not what it must be. */
export type Broken = (why: string) => PlumeError;

/** Version 1.0, uint8. */
export function encodeNpy(values: Uint8Array, shape: readonly number[]): Uint8Array {
  const dictionary = `{'descr': '|u1', 'fortran_order': False, 'shape': (${shape.join(", ")},), }`;
  // Magic, version and length take 10 bytes; the whole header is a multiple of 64 and ends with a newline.
  const total = Math.ceil((10 + dictionary.length + 1) / 64) * 64;
  const file = Buffer.alloc(total + values.length, " ");
  file.write("\x93NUMPY\x01\x00", 0, "latin1");
  file.writeUInt16LE(total - 10, 8);
  file.write(dictionary, 10, "latin1");
  file[total - 1] = 0x0a;
  file.set(values, total);
  return file;
}

/** @throws what `broken` makes for bytes that are no array in C order. */
export function decodeNpy(npy: Uint8Array, broken: Broken): NpyArray {
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

/** Images: uint8 [n, height, width, channels], or without the last axis. @throws what `broken` makes of anything else. */
export function imagesOf({ descr, shape, values }: NpyArray, broken: Broken) {
  const [n = 0, height = 0, width = 0, channels = 1] = shape;
  if (descr !== "|u1" || shape.length < 3 || shape.length > 4 || values.length !== n * height * width * channels)
    throw broken(`its images are ${descr} [${shape.join(", ")}] with ${values.length} bytes`);
  if (n === 0) throw broken("it holds no image");
  return { n, height, width, channels, pixels: values };
}

const INTEGERS: Readonly<Record<string, (view: DataView, k: number) => number>> = {
  "|u1": (view, k) => view.getUint8(k),
  "|i1": (view, k) => view.getInt8(k),
  "<i4": (view, k) => view.getInt32(4 * k, true),
  "<i8": (view, k) => Number(view.getBigInt64(8 * k, true)),
};

/**
 * Class numbers: integers [n], each from 0 to classes - 1.
 * @throws what `broken` makes when there is not one an image.
 */
export function labelsOf({ descr, shape, values }: NpyArray, n: number, classes: number, broken: Broken): number[] {
  const read = INTEGERS[descr];
  if (!read || shape.length !== 1 || shape[0] !== n)
    throw broken(`its labels are ${descr} [${shape.join(", ")}] for ${n} images`);
  const view = new DataView(values.buffer, values.byteOffset, values.byteLength);
  const labels = Array.from({ length: n }, (_, k) => read(view, k));
  const wrong = labels.find((label) => label < 0 || label >= classes);
  if (wrong !== undefined) throw broken(`a label is ${wrong}; classes are numbered from 0 to ${classes - 1}`);
  return labels;
}
