// Small shells over grpc-js's callbacks: writes that respect back-pressure, streams cut in chunks, errors of one kind.

import { Metadata, type ServiceError, status } from "@grpc/grpc-js";
import { ERROR_CODES, type ErrorCode, PlumeError } from "../errors.ts";
import { CHUNK_BYTES } from "./transport.ts";

interface WritableCall<T> {
  write(message: T): boolean;
  on(event: string, listener: () => void): unknown;
  removeListener(event: string, listener: () => void): unknown;
}

/** `status` is how a client-streaming call says that it is over, while its writer still waits. */
const BROKEN = ["error", "close", "cancelled", "status"] as const;

/** Writes one message; resolves when the stream wants more. @throws PlumeError UNAVAILABLE when it breaks meanwhile. */
export async function writeMessage<T>(call: WritableCall<T>, message: T): Promise<void> {
  if (call.write(message)) return;
  await new Promise<void>((resolve, reject) => {
    const settle = (end: () => void) => () => {
      call.removeListener("drain", onDrain);
      for (const event of BROKEN) call.removeListener(event, onBroken);
      end();
    };
    const onDrain = settle(resolve);
    const onBroken = settle(() => reject(new PlumeError("UNAVAILABLE", "the stream broke while it was written")));
    call.on("drain", onDrain);
    for (const event of BROKEN) call.on(event, onBroken);
  });
}

/** Views of at most CHUNK_BYTES on the bytes, in order. */
export function* chunksOf(bytes: Uint8Array): Generator<Uint8Array> {
  for (let at = 0; at < bytes.byteLength; at += CHUNK_BYTES)
    yield bytes.subarray(at, Math.min(at + CHUNK_BYTES, bytes.byteLength));
}

/** The bytes of a float32 view, without a copy; works on shared memory. */
export function bytesOf(view: Float32Array): Uint8Array {
  return new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
}

const PLUME_CODE = "plume-code";
/** Binary, because a remedy may hold any letter. */
const PLUME_REMEDY = "plume-remedy-bin";

/** A PlumeError as gRPC carries it: the mapped status, the message, and the code in the metadata. */
export function toServiceError(error: unknown): Partial<ServiceError> {
  const known = error instanceof PlumeError;
  const code: ErrorCode = known ? error.code : "INTERNAL";
  const metadata = new Metadata();
  metadata.set(PLUME_CODE, code);
  if (known && error.remedy) metadata.set(PLUME_REMEDY, Buffer.from(error.remedy));
  return {
    code: ERROR_CODES[code].grpc as status,
    details: error instanceof Error ? error.message : String(error),
    metadata,
  };
}

/** The PlumeError inside a gRPC error; a status that plume did not send becomes UNAVAILABLE, DEADLINE_EXCEEDED or INTERNAL. */
export function fromServiceError(error: unknown): PlumeError {
  if (error instanceof PlumeError) return error;
  const { code, details, message, metadata } = error as Partial<ServiceError>;
  const sent = metadata?.get(PLUME_CODE)[0]?.toString();
  if (sent && sent in ERROR_CODES)
    return new PlumeError(sent as ErrorCode, details ?? String(message), { cause: error, remedy: remedyIn(metadata) });
  const kind =
    code === status.DEADLINE_EXCEEDED ? "DEADLINE_EXCEEDED" : code === undefined ? "INTERNAL" : "UNAVAILABLE";
  return new PlumeError(kind, details || String(message), { cause: error });
}

const remedyIn = (metadata: Metadata | undefined): string | undefined => metadata?.get(PLUME_REMEDY)[0]?.toString();
