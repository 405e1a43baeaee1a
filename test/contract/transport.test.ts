// The transport on real sockets: windows, chunks, bounds, deadlines, health, reflection, the end of a server.

import { createHash } from "node:crypto";
import type { ServerHttp2Session } from "node:http2";
import {
  credentials,
  type Server,
  ServerCredentials,
  type ServerReadableStream,
  type sendUnaryData,
  status,
} from "@grpc/grpc-js";
import fc from "fast-check";
import { afterEach, describe, expect, it } from "vitest";
import { PullResponse, PushOutcome, PushRequest, type PushResponse } from "../../proto/gen/plume/v1/training.ts";
import { PlumeError } from "../../shared/errors.ts";
import { chunksOf, fromServiceError, toServiceError, writeMessage } from "../../shared/rpc/call.ts";
import { decodeBytesField, encodeBytesField } from "../../shared/rpc/tensor-codec.ts";
import { TrainingClient, trainingService } from "../../shared/rpc/training-service.ts";
import {
  CHUNK_BYTES,
  channelOptions,
  createServer,
  MAX_MESSAGE_BYTES,
  WINDOW_BYTES,
} from "../../shared/rpc/transport.ts";

type Push = (call: ServerReadableStream<PushRequest, PushResponse>, respond: sendUnaryData<PushResponse>) => void;

const accepted: PushResponse = { outcome: PushOutcome.PUSH_OUTCOME_ACCEPTED, reason: "" };
const cleanups: (() => void)[] = [];
afterEach(() => {
  for (const cleanup of cleanups.splice(0)) cleanup();
});

async function serve(
  push: Push,
): Promise<{ server: Server; client: InstanceType<typeof TrainingClient>; sessions: ServerHttp2Session[] }> {
  const server = createServer();
  const sessions: ServerHttp2Session[] = [];
  // Beside plume's own hook, to look at what it did.
  const inside = server as unknown as {
    createHttp2Server: (c: unknown) => { on(e: "session", l: (s: ServerHttp2Session) => void): void };
  };
  const create = inside.createHttp2Server;
  inside.createHttp2Server = (c) => {
    const http2Server = create(c);
    http2Server.on("session", (session) => sessions.push(session));
    return http2Server;
  };
  server.addService(trainingService, { push, pull: () => {}, session: () => {} });
  const port = await new Promise<number>((resolve, reject) =>
    server.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (error, bound) =>
      error ? reject(error) : resolve(bound),
    ),
  );
  const client = new TrainingClient(`127.0.0.1:${port}`, credentials.createInsecure(), channelOptions);
  cleanups.push(() => {
    client.close();
    server.forceShutdown();
  });
  return { server, client, sessions };
}

const pushBytes = (
  client: InstanceType<typeof TrainingClient>,
  payload: Uint8Array,
  deadlineMs = 60_000,
): Promise<PushResponse> =>
  new Promise((resolve, reject) => {
    const call = client.push({ deadline: Date.now() + deadlineMs }, (error, response) =>
      error ? reject(error) : resolve(response),
    );
    (async () => {
      for (const chunk of chunksOf(payload))
        await writeMessage(call, { part: { $case: "chunk", value: chunk as Buffer } });
      call.end();
    })().catch(() => {});
  });

describe("uploads", () => {
  it("arrive whole through a window of the configured size, in chunks below the bound", async () => {
    const hash = createHash("sha256");
    let largest = 0;
    const { client, sessions } = await serve(async (call, respond) => {
      for await (const { part } of call as AsyncIterable<PushRequest>) {
        if (part?.$case !== "chunk") continue;
        largest = Math.max(largest, part.value.length);
        hash.update(part.value);
      }
      respond(null, accepted);
    });
    const payload = new Uint8Array(64 * 2 ** 20).map((_, i) => (i * 2654435761) >>> 13);
    expect((await pushBytes(client, payload)).outcome).toBe(PushOutcome.PUSH_OUTCOME_ACCEPTED);
    expect(hash.digest("hex")).toBe(createHash("sha256").update(payload).digest("hex"));
    expect(largest).toBe(CHUNK_BYTES);
    // What grpc-js alone would leave at 64 KiB.
    expect(sessions[0]!.state.effectiveLocalWindowSize).toBe(WINDOW_BYTES);
    expect(sessions[0]!.localSettings.initialWindowSize).toBe(WINDOW_BYTES);
  });

  it("wait for a reader that does not read: what is written is bounded", async () => {
    const { client } = await serve(() => {}); // never reads
    const call = client.push({ deadline: Date.now() + 5000 }, () => {});
    let written = 0;
    const writing = (async () => {
      for (const chunk of chunksOf(new Uint8Array(256 * 2 ** 20))) {
        await writeMessage(call, { part: { $case: "chunk", value: chunk as Buffer } });
        written += chunk.byteLength;
      }
    })();
    await Promise.race([writing, new Promise((resolve) => setTimeout(resolve, 1500))]);
    call.cancel();
    await expect(writing).rejects.toThrow(/broke/);
    // The two windows, and the messages that the streams on both sides hold: far below what was offered.
    expect(written).toBeLessThan(64 * 2 ** 20);
  });

  it("of one message above the bound are refused with a status that says so", async () => {
    const { client } = await serve(async (call, respond) => {
      try {
        for await (const _ of call as AsyncIterable<PushRequest>);
        respond(null, accepted);
      } catch {
        // the status is the transport's own
      }
    });
    const one = new Promise((_, reject) => {
      const call = client.push({ deadline: Date.now() + 5000 }, (error) => reject(error));
      call.write({ part: { $case: "chunk", value: Buffer.alloc(MAX_MESSAGE_BYTES + 1) } });
      call.end();
    });
    await expect(one).rejects.toMatchObject({ code: status.RESOURCE_EXHAUSTED });
  });

  it("end at their deadline", async () => {
    const { client } = await serve(() => {}); // never answers
    const late = await pushBytes(client, new Uint8Array(10), 300).catch((error) => fromServiceError(error));
    expect(late).toMatchObject({ code: "DEADLINE_EXCEEDED" });
  });
});

describe("errors", () => {
  it("keep their code and words on the way", async () => {
    const { client } = await serve((_call, respond) =>
      respond(toServiceError(new PlumeError("STALE", "step 3 is over"))),
    );
    const got = fromServiceError(await pushBytes(client, new Uint8Array(1)).catch((error) => error));
    expect(got).toMatchObject({ code: "STALE", message: "step 3 is over" });
  });

  it("of a server that is not there are UNAVAILABLE", async () => {
    const client = new TrainingClient("127.0.0.1:1", credentials.createInsecure(), channelOptions);
    cleanups.push(() => client.close());
    expect(fromServiceError(await pushBytes(client, new Uint8Array(1), 3000).catch((error) => error)).code).toMatch(
      /UNAVAILABLE|DEADLINE/,
    );
  });
});

/** As grpc-js puts a frame behind its own bytes. */
function framed(field: number, payload: Uint8Array): Buffer {
  const frame = encodeBytesField(field, payload);
  const message = Buffer.alloc(5 + frame.length);
  expect(frame.copy(message, 5)).toBe(frame.length);
  return message.subarray(5);
}

describe("tensor frames", () => {
  it("are what protobuf would write, byte for byte, and are read without a copy", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 20_000 }), (payload) => {
        const pull = framed(1, payload);
        if (payload.length > 0)
          expect(pull.equals(Buffer.from(PullResponse.encode({ chunk: Buffer.from(payload) }).finish()))).toBe(true);
        expect(PullResponse.decode(pull).chunk.equals(Buffer.from(payload))).toBe(true);
        const push = framed(2, payload);
        expect(
          push.equals(
            Buffer.from(PushRequest.encode({ part: { $case: "chunk", value: Buffer.from(payload) } }).finish()),
          ),
        ).toBe(true);
        const view = decodeBytesField(2, push)!;
        expect(view.equals(Buffer.from(payload))).toBe(true);
        expect(view.buffer).toBe(push.buffer);
      }),
    );
  });

  it("of another shape are left to the generated code", () => {
    expect(decodeBytesField(2, framed(1, new Uint8Array(4)))).toBeNull();
    expect(decodeBytesField(2, Buffer.concat([framed(2, new Uint8Array(4)), Buffer.from([8, 1])]))).toBeNull();
    expect(decodeBytesField(2, Buffer.from([0x12, 5, 1]))).toBeNull();
    expect(decodeBytesField(2, Buffer.alloc(0))).toBeNull();
  });
});
