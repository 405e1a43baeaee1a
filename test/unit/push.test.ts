// What comes with a result beside its payload, judged before the round hears of it.

import { Readable } from "node:stream";
import type { ServiceError } from "@grpc/grpc-js";
import { describe, expect, it } from "vitest";
import type { Result } from "../../coordinator/aggregation/round.ts";
import type { Sink } from "../../coordinator/aggregation/sink.ts";
import { handlePush, type PushCall, type PushTarget } from "../../coordinator/rpc/push.ts";
import { type PushHeader, WorkKind } from "../../proto/gen/plume/v1/training.ts";
import { fromServiceError } from "../../shared/rpc/call.ts";
import { seal } from "../../shared/rpc/sealed.ts";

const HEADER: PushHeader = {
  workerId: "worker-0",
  tuple: { job: "tiny", incarnation: 1, step: 3, attempt: 1 },
  lo: 0,
  hi: 2,
  kind: WorkKind.WORK_KIND_GRADIENT,
  bytes: 0,
  digest: "abc",
  losses: [1, 2],
  ids: ["a", "b"],
  shmFile: "",
  seconds: {},
  spread: false,
  skipped: [],
};

const sink: Sink = {
  bytes: 0,
  fill: async () => 0,
  arrived: async () => HEADER.digest,
  collect: async () => {},
  discard: () => {},
};

/** Pushes a result of two micro-batches. @returns what the round gets, or why it gets nothing. */
function pushed(header: Partial<PushHeader>, samplesPerMicroBatch = 2): Promise<Result> {
  const call = Readable.from([{ part: { $case: "header", value: { ...HEADER, ...header } } }]) as unknown as PushCall;
  const claimed: string[] = [];
  return new Promise((resolve, reject) => {
    const dispatcher = {
      claim: (_worker: unknown, _address: unknown, digest: string) => {
        claimed.push(digest);
        return { kind: "take", lease: {} };
      },
      receive: () => sink,
      handIn: (_lease: unknown, result: Result) => {
        expect(claimed).toEqual([result.digest]);
        resolve(result);
        return { kind: "accept" };
      },
    } as unknown as PushTarget["dispatcher"];
    const respond = (error: Partial<ServiceError> | null) => error && reject(fromServiceError(error as ServiceError));
    void handlePush({ dispatcher, shmFolder: "", sampleLosses: samplesPerMicroBatch }, call, respond);
  });
}

describe("the losses that come with a result", () => {
  const losses = Float32Array.of(1, 2, 3, 4);

  it("reach the round as they were, and two results agree on them or differ", async () => {
    const result = await pushed({ sampleLosses: seal(losses) });
    expect(result.sampleLosses).toEqual(losses);
    expect((await pushed({ sampleLosses: seal(losses.slice()) })).digest).toBe(result.digest);
    expect((await pushed({ sampleLosses: seal(Float32Array.of(1, 2, 3, 5)) })).digest).not.toBe(result.digest);
  });

  it("are absent where nothing is drawn by them: the digest is the payload's", async () => {
    expect(await pushed({}, 0)).toMatchObject({ digest: "abc", sampleLosses: new Float32Array() });
  });

  it("are refused when they were damaged on the way, lack, or are of another number of samples", async () => {
    const damaged = seal(losses);
    damaged[5]! ^= 1;
    await expect(pushed({ sampleLosses: damaged })).rejects.toThrow("do not fit the checksum");
    await expect(pushed({})).rejects.toThrow("0 losses came for 4 samples");
    await expect(pushed({ sampleLosses: seal(losses) }, 0)).rejects.toThrow("4 losses came for 0 samples");
  });
});
