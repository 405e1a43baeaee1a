// Bytes that lie in several places and are moved as one: into a file and out of it, or from chunks as they arrive.

import { constants, type FileHandle, open } from "node:fs/promises";
import { OTHER_VERSION, PlumeError } from "../errors.ts";

/** Memory, and where in the file its bytes are. */
export interface PlacedRegion {
  readonly region: Uint8Array;
  readonly position: number;
}

/** One region behind the other, from the start of the file. */
export function consecutive(regions: readonly Uint8Array[]): PlacedRegion[] {
  let position = 0;
  return regions.map((region) => {
    const placed = { region, position };
    position += region.byteLength;
    return placed;
  });
}

/** Bytes that one call moves; several go side by side. */
const PIECE_BYTES = 8 * 1024 * 1024;

/** Writes regions into a file, which is made if need be and keeps what lies around them. @throws when there is no room. */
export async function writeRegions(file: string, regions: readonly PlacedRegion[]): Promise<void> {
  await using handle = closing(await open(file, constants.O_WRONLY | constants.O_CREAT, 0o600));
  await Promise.all(
    piecesOf(regions).map(async ({ region, position }) => {
      // A full disk takes a part first, and only then says so.
      for (let done = 0; done < region.byteLength; )
        done += (await handle.file.write(region, done, region.byteLength - done, position + done)).bytesWritten;
    }),
  );
}

/** Fills regions from a file. @returns bytes read; fewer than asked for when it is shorter. @throws when there is none. */
export async function readRegions(file: string, regions: readonly PlacedRegion[]): Promise<number> {
  await using handle = closing(await open(file, "r"));
  const counts = await Promise.all(
    piecesOf(regions).map(
      async ({ region, position }) => (await handle.file.read(region, 0, region.byteLength, position)).bytesRead,
    ),
  );
  return counts.reduce((sum, bytes) => sum + bytes, 0);
}

/** Fills regions from chunks, in order. @returns bytes that came. @throws PlumeError INVALID_ARGUMENT when there are too many. */
export async function fillRegions(chunks: AsyncIterable<Uint8Array>, regions: readonly Uint8Array[]): Promise<number> {
  let received = 0;
  let index = 0;
  let at = 0;
  for await (let chunk of chunks) {
    received += chunk.byteLength;
    while (chunk.byteLength > 0) {
      const target = regions[index];
      if (!target)
        throw new PlumeError(
          "INVALID_ARGUMENT",
          `${received} bytes came for ${sizeOf(regions)} that were announced`,
          OTHER_VERSION,
        );
      const take = Math.min(chunk.byteLength, target.byteLength - at);
      target.set(chunk.subarray(0, take), at);
      at += take;
      chunk = chunk.subarray(take);
      if (at < target.byteLength) continue;
      index++;
      at = 0;
    }
  }
  return received;
}

/** Bytes. */
export const sizeOf = (regions: readonly Uint8Array[]): number =>
  regions.reduce((sum, { byteLength }) => sum + byteLength, 0);

function piecesOf(regions: readonly PlacedRegion[]): PlacedRegion[] {
  const pieces = [];
  for (const { region, position } of regions)
    for (let at = 0; at < region.byteLength; at += PIECE_BYTES)
      pieces.push({ region: region.subarray(at, at + PIECE_BYTES), position: position + at });
  return pieces;
}

const closing = (file: FileHandle) => ({ file, [Symbol.asyncDispose]: () => file.close() });
