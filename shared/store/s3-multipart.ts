// A large object in parts, several at a time. What fails leaves no upload behind, as far as the server still answers.

import { crc32 } from "node:zlib";
import {
  AbortMultipartUploadCommand,
  type CompletedPart,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  HeadObjectCommand,
  UploadPartCommand,
} from "@aws-sdk/client-s3";
import { inParallel } from "../parallel.ts";
import { type S3Place, sending } from "./s3-client.ts";
import { isAmbiguous, isMissing } from "./s3-errors.ts";

/** From this size on an object goes up in parts. */
export const MULTIPART_BYTES = 16 << 20;
const PART_BYTES = 8 << 20;
/** S3's own limit. */
const MAX_PARTS = 10_000;
const PARALLEL = 4;
const REMOVALS = 3;

const crcOf = (bytes: Uint8Array): string => {
  const out = Buffer.alloc(4);
  out.writeUInt32BE(crc32(bytes));
  return out.toString("base64");
};

/** @param Key with the store's prefix. @throws what the SDK throws. */
export async function putInParts(place: S3Place, Key: string, bytes: Uint8Array, signal?: AbortSignal): Promise<void> {
  const { client, bucket: Bucket } = place;
  const failure = new AbortController();
  const abortSignal = signal ? AbortSignal.any([signal, failure.signal]) : failure.signal;
  // Not to be stopped: an upload whose id never arrived could not be removed. The checksum is to be the whole object's,
  // so that a later read can be held against it.
  const created = await client.send(
    new CreateMultipartUploadCommand({ Bucket, Key, ChecksumAlgorithm: "CRC32", ChecksumType: "FULL_OBJECT" }),
    sending(place, undefined),
  );
  const target = { Bucket, Key, UploadId: created.UploadId };
  const putPart = async ({ PartNumber, part }: { PartNumber: number; part: Uint8Array }): Promise<CompletedPart> => {
    const { ETag } = await client.send(
      new UploadPartCommand({ ...target, PartNumber, Body: part, ChecksumCRC32: crcOf(part) }),
      sending(place, abortSignal, part.byteLength),
    );
    return { PartNumber, ETag, ChecksumCRC32: crcOf(part) };
  };
  try {
    signal?.throwIfAborted();
    const Parts = await inParallel(partsOf(bytes), PARALLEL, (part) =>
      putPart(part).catch((error) => {
        failure.abort(error); // the others are for nothing
        throw error;
      }),
    );
    await complete(place, { ...target, MultipartUpload: { Parts } }, bytes, abortSignal);
  } catch (error) {
    await remove(place, target);
    throw error;
  }
}

/** Several times, until it is gone: a part that the server was still taking in may come back after the first. */
async function remove(place: S3Place, target: { Bucket: string; Key: string; UploadId: string | undefined }) {
  for (let attempt = 0; attempt < REMOVALS; attempt++) {
    // Without the caller's signal: it may be why we are here.
    const answer = await place.client
      .send(new AbortMultipartUploadCommand(target), sending(place, undefined))
      .catch(() => null);
    if (answer === null) return; // no such upload any more, or a server that does not answer
  }
}

type Completion = ConstructorParameters<typeof CompleteMultipartUploadCommand>[0];

async function complete(place: S3Place, input: Completion, bytes: Uint8Array, abortSignal: AbortSignal): Promise<void> {
  const { client } = place;
  const ChecksumCRC32 = crcOf(bytes);
  const size = bytes.byteLength;
  const command = new CompleteMultipartUploadCommand({ ...input, ChecksumCRC32, ChecksumType: "FULL_OBJECT" });
  try {
    // The server puts the parts together before it answers.
    await client.send(command, sending(place, abortSignal, size));
  } catch (error) {
    abortSignal.throwIfAborted();
    if (!isAmbiguous(error) && !isMissing(error)) throw error;
    // An answer that was lost; a second try then finds no such upload. Is the object there that this would have made?
    const { Bucket, Key } = input;
    const head = new HeadObjectCommand({ Bucket, Key, ChecksumMode: "ENABLED" });
    const found = await client.send(head, sending(place, abortSignal)).catch(() => null);
    if (found?.ContentLength !== size || found.ChecksumCRC32 !== ChecksumCRC32) throw error;
  }
}

function partsOf(bytes: Uint8Array): { PartNumber: number; part: Uint8Array }[] {
  const size = Math.max(PART_BYTES, Math.ceil(bytes.byteLength / MAX_PARTS));
  return Array.from({ length: Math.ceil(bytes.byteLength / size) }, (_, i) => ({
    PartNumber: i + 1,
    part: bytes.subarray(i * size, (i + 1) * size),
  }));
}
