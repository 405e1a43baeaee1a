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
      { name: span.name, shape: span.shape, values: floatsOf(file.subarray(span.start, span.end)) },
    ]),
  );
}

/** A tensor, and where in its file its bytes are. */
export interface TensorSpan extends Pick<NamedTensor, "name" | "shape"> {
  readonly start: number;
  readonly end: number;
}

/** The tensors of a file, in the order of their bytes. @throws as decodeSafetensors. */
export function spansOf(file: Uint8Array, name: string): TensorSpan[] {
  const broken = (why: string) => new PlumeError("DATA_LOSS", `${name} is no whole safetensors file: ${why}`);
  const view = Buffer.from(file.buffer, file.byteOffset, file.byteLength);
  if (view.length < 8) throw broken(`${view.length} bytes`);
  const headerBytes = Number(view.readBigUInt64LE(0));
  if (headerBytes > LONGEST_HEADER || 8 + headerBytes > view.length)
    throw broken(`a header of ${headerBytes} bytes in ${view.length}`);
  const first = 8 + headerBytes;
  const length = view.length - first;

  const spans: TensorSpan[] = [];
  let expected = 0;
  for (const [tensor, { dtype, shape, data_offsets }] of parseHeader(view.subarray(8, first), broken)) {
    const [start, end] = data_offsets;
    if (dtype !== "F32") throw broken(`tensor ${tensor} is ${dtype}, plume reads F32`);
    if (start !== expected)
      throw broken(`tensor ${tensor} starts at byte ${start}, the one before ends at ${expected}`);
    if (end - start !== 4 * product(shape))
      throw broken(`tensor ${tensor} has ${end - start} bytes for shape [${shape}]`);
    if (end > length) throw broken(`tensor ${tensor} ends at byte ${end} of ${length}`);
    spans.push({ name: tensor, shape, start: first + start, end: first + end });
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

/** A copy, at an address that floats may have. */
const floatsOf = (bytes: Uint8Array): Float32Array => new Float32Array(Uint8Array.from(bytes).buffer);

const product = (shape: readonly number[]): number => shape.reduce((n, size) => n * size, 1);
