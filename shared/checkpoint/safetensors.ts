// The safetensors format, float32: 8 bytes of header length (little-endian), a JSON header padded with spaces to a
// multiple of 8, then the tensors' bytes without a gap. https://github.com/huggingface/safetensors, "Format".

import { z } from "zod";
import { PlumeError } from "../errors.ts";

export interface NamedTensor {
  readonly name: string;
  readonly shape: readonly number[];
  /** Row-major; as many as the shape says. */
  readonly values: Float32Array;
}

const METADATA = "__metadata__";
/** The reference reader refuses a longer header. */
const LONGEST_HEADER = 100_000_000;

const entrySchema = z.object({
  dtype: z.string(),
  shape: z.array(z.int().min(0)),
  data_offsets: z.tuple([z.int().min(0), z.int().min(0)]),
});

const ONE_SHAPE = { remedy: "give every tensor a name of its own, and as many values as its shape says" };

/** @throws PlumeError INVALID_ARGUMENT for a name given twice or reserved, or values that do not fill their shape. */
export function encodeSafetensors(
  tensors: readonly NamedTensor[],
  metadata: Readonly<Record<string, string>> = {},
): Uint8Array {
  for (const { name, shape, values } of tensors)
    if (values.length !== product(shape))
      throw new PlumeError(
        "INVALID_ARGUMENT",
        `tensor ${name} has ${values.length} values for shape [${shape}]`,
        ONE_SHAPE,
      );
  const header = safetensorsHeader(tensors, metadata);
  const file = Buffer.alloc(tensors.reduce((sum, { values }) => sum + values.byteLength, header.length));
  header.copy(file);
  let at = header.length;
  for (const { values } of tensors) {
    file.set(new Uint8Array(values.buffer, values.byteOffset, values.byteLength), at);
    at += values.byteLength;
  }
  return file;
}

/** What comes before the tensors' bytes. @throws PlumeError INVALID_ARGUMENT for a name given twice or reserved. */
export function safetensorsHeader(
  tensors: readonly Pick<NamedTensor, "name" | "shape">[],
  metadata: Readonly<Record<string, string>> = {},
): Buffer {
  const header = new Map<string, unknown>([[METADATA, metadata]]);
  let offset = 0;
  for (const { name, shape } of tensors) {
    if (header.has(name)) throw new PlumeError("INVALID_ARGUMENT", `tensor name ${name} is taken already`, ONE_SHAPE);
    const end = offset + 4 * product(shape);
    header.set(name, { dtype: "F32", shape, data_offsets: [offset, end] });
    offset = end;
  }
  const json = Buffer.from(JSON.stringify(Object.fromEntries(header)));
  const bytes = Buffer.alloc(8 + Math.ceil(json.length / 8) * 8, " ");
  bytes.writeBigUInt64LE(BigInt(bytes.length - 8), 0);
  json.copy(bytes, 8);
  return bytes;
}

/**
 * @param name for messages. @returns the tensors by name, in the order of their bytes.
 * @throws PlumeError DATA_LOSS when it is no whole safetensors file of float32.
 */
export function decodeSafetensors(file: Uint8Array, name: string): Map<string, NamedTensor> {
  const spans = spansOf(file, name);
  return new Map(
    spans.map((span) => [
      span.name,
      { name: span.name, shape: span.shape, values: floatsOf(file.subarray(span.start, span.end), span.dtype) },
    ]),
  );
}

/** Bytes of a number, by what safetensors calls its type. */
const BYTES = { F32: 4, F16: 2, BF16: 2 };
export type TensorType = keyof typeof BYTES;

/** A tensor, and where in its file its bytes are. */
export interface TensorSpan extends Pick<NamedTensor, "name" | "shape"> {
  readonly dtype: TensorType;
  readonly start: number;
  readonly end: number;
}

/** The tensors of a file, in the order of their bytes. @throws as decodeSafetensors. */
export const spansOf = (file: Uint8Array, name: string): TensorSpan[] => spansIn(file, file.length, name, ["F32"]);

/** Where in a file its tensors begin: behind the header. @param head its first 8 bytes. @throws as decodeSafetensors. */
export function headerEnd(head: Uint8Array, size: number, name: string): number {
  if (size < 8) throw brokenFile(name)(`${size} bytes`);
  const bytes = Number(Buffer.from(head.buffer, head.byteOffset, head.byteLength).readBigUInt64LE(0));
  if (bytes > LONGEST_HEADER || 8 + bytes > size) throw brokenFile(name)(`a header of ${bytes} bytes in ${size}`);
  return 8 + bytes;
}

const brokenFile = (name: string) => (why: string) =>
  new PlumeError("DATA_LOSS", `${name} is no whole safetensors file: ${why}`);

/**
 * The same from the beginning of a file: its first bytes, up to where its tensors begin at least. @param size of the file.
 * @param types that whoever asks can read.
 */
export function spansIn(head: Uint8Array, size: number, name: string, types: readonly TensorType[]): TensorSpan[] {
  const broken = brokenFile(name);
  const first = headerEnd(head, size, name);
  const length = size - first;
  const view = Buffer.from(head.buffer, head.byteOffset, head.byteLength);

  const spans: TensorSpan[] = [];
  let expected = 0;
  for (const [tensor, { dtype, shape, data_offsets }] of parseHeader(view.subarray(8, first), broken)) {
    const [start, end] = data_offsets;
    const type = types.find((each) => each === dtype);
    if (!type) throw broken(`tensor ${tensor} is ${dtype}, plume reads ${types.join(", ")}`);
    if (start !== expected)
      throw broken(`tensor ${tensor} starts at byte ${start}, the one before ends at ${expected}`);
    if (end - start !== BYTES[type] * product(shape))
      throw broken(`tensor ${tensor} has ${end - start} bytes for shape [${shape}]`);
    if (end > length) throw broken(`tensor ${tensor} ends at byte ${end} of ${length}`);
    spans.push({ name: tensor, dtype: type, shape, start: first + start, end: first + end });
    expected = end;
  }
  if (expected !== length) throw broken(`${length - expected} bytes belong to no tensor`);
  return spans;
}

/** The header's tensors in the order of their bytes. */
function parseHeader(json: Buffer, broken: (why: string) => PlumeError): [string, z.infer<typeof entrySchema>][] {
  let header: unknown;
  try {
    header = JSON.parse(json.toString("utf8"));
  } catch (error) {
    throw broken((error as Error).message);
  }
  if (typeof header !== "object" || header === null || Array.isArray(header)) throw broken("its header is no mapping");
  return Object.entries(header)
    .filter(([tensor]) => tensor !== METADATA)
    .map(([tensor, entry]): [string, z.infer<typeof entrySchema>] => {
      const parsed = entrySchema.safeParse(entry);
      if (!parsed.success) throw broken(`tensor ${tensor} lacks a type, a shape or its offsets`);
      return [tensor, parsed.data];
    })
    .sort(([, a], [, b]) => a.data_offsets[0] - b.data_offsets[0] || a.data_offsets[1] - b.data_offsets[1]);
}

/** A copy, at an address that floats may have. @param bytes little-endian. */
export function floatsOf(bytes: Uint8Array, type: TensorType): Float32Array {
  const { buffer } = Uint8Array.from(bytes);
  if (type === "F32") return new Float32Array(buffer);
  return Float32Array.from(new Uint16Array(buffer), type === "F16" ? floatOfHalf : floatOfBrain);
}

const word = new Uint32Array(1);
const asFloat = new Float32Array(word.buffer);

/** The upper half of a float32. */
function floatOfBrain(bits: number): number {
  word[0] = bits << 16;
  return asFloat[0]!;
}

/** IEEE 754 binary16: a sign, 5 bits of exponent, 10 of fraction. */
function floatOfHalf(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const [exponent, fraction] = [(bits >> 10) & 31, bits & 1023];
  if (exponent === 31) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
  return sign * (exponent === 0 ? fraction * 2 ** -24 : (1 + fraction / 1024) * 2 ** (exponent - 15));
}

const product = (shape: readonly number[]): number => shape.reduce((n, size) => n * size, 1);
