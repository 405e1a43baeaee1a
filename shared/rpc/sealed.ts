// Numbers in a message that decide bits and are too many to be looked at: their bytes, little-endian, and the CRC-32 of these
// behind them, so that damage on the way is found before it is learned from.

import { crc32 } from "../rng/crc32.ts";

const SEAL_BYTES = 4;

export function seal({ buffer, byteOffset, byteLength }: Float32Array | Float64Array): Buffer {
  const sealed = Buffer.alloc(byteLength + SEAL_BYTES);
  sealed.set(new Uint8Array(buffer, byteOffset, byteLength));
  sealed.writeUInt32LE(crc32(sealed.subarray(0, byteLength)), byteLength);
  return sealed;
}

/** @returns the bytes at an address that any numbers may have, or null when they are not what was sealed. */
export function unseal(sealed: Buffer): ArrayBuffer | null {
  const end = sealed.byteLength - SEAL_BYTES;
  if (end < 0 || crc32(sealed.subarray(0, end)) !== sealed.readUInt32LE(end)) return null;
  return Uint8Array.from(sealed.subarray(0, end)).buffer;
}
