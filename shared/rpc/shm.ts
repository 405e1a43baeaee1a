// The shared-memory folder: names inside it, and moving vectors in and out. What the coordinator writes, a worker reads,
// and the reverse. Files are written over rather than anew where nobody needs them any more: a fresh page of tmpfs costs
// more than filling it. Who reads a file that is written over meanwhile gets other bytes than the digest says.

import { constants, type FileHandle, open } from "node:fs/promises";

/** tmpfs on Linux; a machine without it uses gRPC for its tensors. */
export const SHM_ROOT = "/dev/shm";
export const NONCE_FILE = "nonce";

export const sharedParamsFile = (kind: "params" | "ema", version: number): string => `${kind}-${version}.f32`;

/** A worker process writes one file over and over; `slot` counts its pushes that are under way at once. */
export const sharedResultFile = (workerId: string, pid: number, slot: number): string =>
  `result-${workerId}-${pid}-${slot}.bin`;

export const isResultOf = (file: string, workerId: string): boolean =>
  file.startsWith(`result-${workerId}-`) && /^\d+-\d+\.bin$/.test(file.slice(`result-${workerId}-`.length));

/** Bytes that one call moves; several go side by side. */
const PIECE_BYTES = 8 * 1024 * 1024;

/** Writes the regions one after another into a file, which is made if need be and keeps what is longer. @throws when there is no room. */
export async function writeRegions(file: string, regions: readonly Uint8Array[]): Promise<void> {
  await using handle = closing(await open(file, constants.O_WRONLY | constants.O_CREAT, 0o600));
  await Promise.all(
    piecesOf(regions).map(async ({ piece, position }) => {
      // A full tmpfs takes a part first, and only then says so.
      for (let done = 0; done < piece.byteLength; )
        done += (await handle.file.write(piece, done, piece.byteLength - done, position + done)).bytesWritten;
    }),
  );
}

/** Fills the regions from a file. @returns bytes read; fewer than asked for when it is shorter. @throws when there is none. */
export async function readRegions(file: string, regions: readonly Uint8Array[]): Promise<number> {
  await using handle = closing(await open(file, "r"));
  const counts = await Promise.all(
    piecesOf(regions).map(
      async ({ piece, position }) => (await handle.file.read(piece, 0, piece.byteLength, position)).bytesRead,
    ),
  );
  return counts.reduce((sum, bytes) => sum + bytes, 0);
}

function piecesOf(regions: readonly Uint8Array[]): { piece: Uint8Array; position: number }[] {
  const pieces = [];
  let position = 0;
  for (const region of regions)
    for (let at = 0; at < region.byteLength; at += PIECE_BYTES) {
      const piece = region.subarray(at, at + PIECE_BYTES);
      pieces.push({ piece, position });
      position += piece.byteLength;
    }
  return pieces;
}

const closing = (file: FileHandle) => ({ file, [Symbol.asyncDispose]: () => file.close() });
