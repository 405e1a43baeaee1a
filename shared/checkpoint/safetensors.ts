// The safetensors format: 8 bytes of header length, a JSON header padded with spaces, then the tensors' bytes.

import { PlumeError } from "../errors.ts";

export interface NamedTensor {
  readonly name: string;
  readonly shape: readonly number[];
  readonly values: Float32Array;
}

interface HeaderEntry {
  readonly dtype: string;
  readonly shape: number[];
  readonly data_offsets: [number, number];
}

export function encodeSafetensors(
  tensors: readonly NamedTensor[],
  metadata: Readonly<Record<string, string>> = {},
): Uint8Array {
  const header: Record<string, unknown> = { __metadata__: metadata };
  let offset = 0;
  for (const { name, shape, values } of tensors) {
    header[name] = { dtype: "F32", shape, data_offsets: [offset, offset + values.byteLength] };
    offset += values.byteLength;
  }
  const json = Buffer.from(JSON.stringify(header));
  const headerBytes = Math.ceil(json.length / 8) * 8;
  const file = Buffer.alloc(8 + headerBytes + offset, 0x20);
  file.writeBigUInt64LE(BigInt(headerBytes), 0);
  json.copy(file, 8);
  let at = 8 + headerBytes;
  for (const { values } of tensors) {
    file.set(new Uint8Array(values.buffer, values.byteOffset, values.byteLength), at);
    at += values.byteLength;
  }
  return file;
}

/** @param name for messages. @throws PlumeError DATA_LOSS when it is no whole safetensors file of float32. */
export function decodeSafetensors(file: Uint8Array, name: string): Map<string, NamedTensor> {
  const broken = (why: string) => new PlumeError("DATA_LOSS", `${name} is no whole safetensors file: ${why}`);
  const view = Buffer.from(file.buffer, file.byteOffset, file.byteLength);
  if (view.length < 8) throw broken(`${view.length} bytes`);
  const headerBytes = Number(view.readBigUInt64LE(0));
  if (8 + headerBytes > view.length) throw broken(`the header of ${headerBytes} bytes is longer than the file`);
  let header: Record<string, HeaderEntry>;
  try {
    header = JSON.parse(view.toString("utf8", 8, 8 + headerBytes)) as Record<string, HeaderEntry>;
  } catch (error) {
    throw broken((error as Error).message);
  }
  const tensors = new Map<string, NamedTensor>();
  for (const [tensor, { dtype, shape, data_offsets }] of Object.entries(header)) {
    if (tensor === "__metadata__") continue;
    if (dtype !== "F32") throw broken(`tensor ${tensor} is ${dtype}, plume reads F32`);
    const [start, end] = data_offsets;
    const bytes = view.subarray(8 + headerBytes + start, 8 + headerBytes + end);
    if (bytes.length !== end - start || bytes.length !== 4 * shape.reduce((product, n) => product * n, 1))
      throw broken(`tensor ${tensor} has ${bytes.length} bytes for shape [${shape}]`);
    tensors.set(tensor, { name: tensor, shape, values: new Float32Array(Uint8Array.from(bytes).buffer) });
  }
  return tensors;
}
