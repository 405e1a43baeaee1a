// What an S3 store does beyond the contract of every store, on a real server, and what it says when something is wrong.

import { createServer, request as httpRequest, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { ListMultipartUploadsCommand, PutObjectCommand } from "@aws-sdk/client-s3";
import { describe, expect, it } from "vitest";
import { parseJob } from "../../shared/config/load.ts";
import type { StoreAccess } from "../../shared/store/access.ts";
import type { ObjectStore, StoredObject } from "../../shared/store/object-store.ts";
import { openStore } from "../../shared/store/open.ts";
import { startFaultProxy } from "../support/fault-proxy.ts";
import { scratchFolder } from "../support/plume.ts";
import { freePort, pause } from "../support/processes.ts";
import { refusalOf as refused } from "../support/refusal.ts";
import { S3_KEY, S3_SECRET, withEnvironment } from "../support/s3-server.ts";
import { useS3Server } from "../support/use-s3-server.ts";
import { bytesOf, describeObjectStore, textOf } from "./object-store-suite.ts";

const server = useS3Server();
let folders = 0;

const freshUrl = () => `s3://${server().bucket}/test-${folders++}/checkpoints`;
const openFresh = (access: StoreAccess = {}): Promise<ObjectStore> => openStore(freshUrl(), access);

describeObjectStore("s3", async () => {
  const url = freshUrl();
  return { handles: [await openStore(url), await openStore(url)], async [Symbol.asyncDispose]() {} };
});

/** Larger than the threshold of multipart; no part of it equals another. */
function large(bytes = 40_000_003): Uint8Array {
  const words = new Uint32Array(Math.ceil(bytes / 4));
  for (let i = 0, x = 1; i < words.length; i++) {
    x = (Math.imul(x, 1664525) + 1013904223) >>> 0;
    words[i] = x;
  }
  return new Uint8Array(words.buffer, 0, bytes);
}

const SECRETS = [S3_SECRET, S3_KEY, "wrong-secret", "wrong-key", "Signature="].map((word) => new RegExp(word));
const refusalOf = (promise: Promise<unknown>) => refused(promise, SECRETS);

async function uploads(): Promise<number> {
  const { Uploads } = await server().client.send(new ListMultipartUploadsCommand({ Bucket: server().bucket }));
  return Uploads?.length ?? 0;
}

describe("an s3 store", () => {
  it("puts a large object in parts and gives back the same bytes, whole and by ranges", async () => {
    const store = await openFresh();
    const bytes = large();
    await store.put("part-0.safetensors", bytes);
    expect(await uploads()).toBe(0);
    expect(Buffer.compare(await store.get("part-0.safetensors"), bytes)).toBe(0);
    expect(await store.head("part-0.safetensors")).toMatchObject({ size: bytes.byteLength });
    // Over the border of two parts, and up to the end.
    for (const [start, end] of [
      [8_388_600, 8_388_620],
      [39_999_990, 50_000_000],
    ] as const) {
      const got = await store.get("part-0.safetensors", { range: { start, end } });
      expect(Buffer.compare(got, bytes.subarray(start, end))).toBe(0);
    }
  });

  it("tells sizes and ages over several pages of a listing", async () => {
    const store = await openFresh();
    const before = Date.now() - 2_000;
    const keys = Array.from({ length: 1_205 }, (_, i) => `step-${String(i).padStart(9, "0")}/state.json`);
    for (let i = 0; i < keys.length; i += 8)
      await Promise.all(keys.slice(i, i + 8).map((key, j) => store.put(key, new Uint8Array((i + j) % 7))));
    const listed: StoredObject[] = [];
    for await (const object of store.list("step-")) listed.push(object);
    expect(listed.map(({ key }) => key)).toEqual(keys);
    expect(listed.map(({ size }) => size)).toEqual(keys.map((_, i) => i % 7));
    for (const { modifiedMs } of listed) expect(modifiedMs).toBeGreaterThan(before);
  });

  it.each([
    ["at the start of one", 0],
    ["in the middle of one", 12_000_000],
  ])("leaves neither upload nor object when it is stopped %s, and says why", async (_, sent) => {
    const store = await openFresh({ endpoint: server().endpoint });
    await using proxy = await startFaultProxy(server().address);
    const slow = await openStore(store.url, { endpoint: `http://${proxy.address}` });
    proxy.set({ kind: "slow", bytesPerSecond: 20_000_000 });
    const stop = new AbortController();
    const putting = slow.put("part", large(), stop.signal);
    const outcome = expect(putting).rejects.toThrow("the run is over");
    while ((await uploads()) === 0 || proxy.bytes.up < sent) await pause(5);
    stop.abort(new Error("the run is over"));
    await outcome;
    expect(await uploads()).toBe(0);
    expect(await store.head("part")).toBeNull();
  });

  it("refuses an object whose checksum is wrong", async () => {
    const refused = server().client.send(
      new PutObjectCommand({ Bucket: server().bucket, Key: "wrong", Body: bytesOf("abc"), ChecksumCRC32: "AAAAAA==" }),
    );
    await expect(refused).rejects.toMatchObject({ $metadata: { httpStatusCode: 400 } });
    const store = await openStore(`s3://${server().bucket}`);
    expect(await store.head("wrong")).toBeNull();
  });

  it("finds a flipped bit in what it reads, and in what it writes", async () => {
    const direct = await openFresh();
    await using proxy = await startFaultProxy(server().address);
    const store = await openStore(direct.url, { endpoint: `http://${proxy.address}` });
    const bytes = large(1_000_000);
    await direct.put("k", bytes);
    proxy.set({ kind: "corrupt", direction: "down", everyBytes: 600_000 });
    expect(await refusalOf(store.get("k"))).toMatchObject({ code: "DATA_LOSS" });
    proxy.set({ kind: "corrupt", direction: "up", everyBytes: 600_000 });
    expect(await refusalOf(store.put("l", bytes))).toMatchObject({ code: "DATA_LOSS" });
    proxy.set({ kind: "none" });
    expect(await direct.head("l")).toBeNull();
    expect(Buffer.compare(await store.get("k"), bytes)).toBe(0);
  });

  it("has whole objects or none after its server was killed in the middle of puts", async () => {
    const store = await openFresh();
    const acknowledged: string[] = [];
    const fill = (i: number) => new Uint8Array(500_000).fill(i);
    const putting = (async () => {
      for (let i = 0; ; i++) {
        await store.put(`k-${i}`, fill(i % 256));
        acknowledged.push(`k-${i}`);
      }
    })();
    const outcome = refusalOf(putting);
    while (acknowledged.length < 20) await pause(1);
    await server().kill();
    try {
      expect(await outcome).toMatchObject({ code: "UNAVAILABLE" });
    } finally {
      await server().restart();
    }
    for (const [i, key] of acknowledged.entries()) expect(Buffer.compare(await store.get(key), fill(i % 256))).toBe(0);
    const torn = `k-${acknowledged.length}`;
    const found = await store.head(torn);
    if (found) expect(Buffer.compare(await store.get(torn), fill(acknowledged.length % 256))).toBe(0);
    await store.put(torn, bytesOf("again"));
    expect(textOf(await store.get(torn))).toBe("again");
  });

  it("takes a commit whose answer was lost as its own", async () => {
    const direct = await openFresh();
    // Real server, real bytes: only the answer to the first conditional put goes nowhere.
    await using front = await startFront((_, count) => (count === 1 ? "lose the answer" : "forward"));
    const store = await openStore(direct.url, { endpoint: front.endpoint });
    await store.putIfAbsent("manifest.json", bytesOf('{ "writer": "a" }'));
    expect(front.count()).toBeGreaterThan(1);
    expect(textOf(await direct.get("manifest.json"))).toBe('{ "writer": "a" }');
    const other = await openStore(direct.url, { endpoint: front.endpoint });
    expect(await refusalOf(other.putIfAbsent("manifest.json", bytesOf('{ "writer": "b" }')))).toMatchObject({
      code: "ALREADY_EXISTS",
    });
  });

  it("tells another's commit from its own when the answer was lost", async () => {
    const direct = await openFresh();
    await direct.putIfAbsent("manifest.json", bytesOf("theirs"));
    await using front = await startFront((_, count) => (count === 1 ? "lose the answer" : "forward"));
    const store = await openStore(direct.url, { endpoint: front.endpoint });
    expect(await refusalOf(store.putIfAbsent("manifest.json", bytesOf("ours")))).toMatchObject({
      code: "ALREADY_EXISTS",
    });
    expect(textOf(await direct.get("manifest.json"))).toBe("theirs");
  });

  it("tries again when the server is busy, and gives up by name when it stays so", async () => {
    const { url } = await openFresh();
    await using front = await startFront((_, count) => (count <= 2 ? "503" : "forward"));
    const store = await openStore(url, { endpoint: front.endpoint });
    await store.put("k", bytesOf("x"));
    expect(front.count()).toBe(3);
    await using busy = await startFront(() => "503");
    const refusal = await refusalOf((await openStore(url, { endpoint: busy.endpoint })).put("k", bytesOf("y")));
    expect(refusal).toMatchObject({ code: "UNAVAILABLE", message: expect.stringContaining("503") });
    expect(textOf(await store.get("k"))).toBe("x");
  });

  it("does not wait for a server that says nothing longer than it was told", async () => {
    const { url } = await openFresh();
    await using proxy = await startFaultProxy(server().address);
    const store = await openStore(url, { endpoint: `http://${proxy.address}`, timeoutSeconds: 1 });
    await store.put("k", bytesOf("x"));
    proxy.set({ kind: "half-open", direction: "down" });
    const started = performance.now();
    const refusal = await refusalOf(store.get("k"));
    expect(refusal).toMatchObject({ code: "DEADLINE_EXCEEDED", message: expect.stringContaining("within 1 s") });
    expect(performance.now() - started).toBeLessThan(30_000);
  });
});

describe("an s3 store that cannot be used says which, why and what to do", () => {
  it("when there is no such bucket", async () => {
    const store = await openStore("s3://no-such-bucket/run");
    for (const tried of [() => store.put("k", bytesOf("x")), () => store.get("k"), () => firstOf(store)])
      expect(await refusalOf(tried())).toMatchObject({
        code: "FAILED_PRECONDITION",
        message: expect.stringContaining("has no bucket no-such-bucket"),
        remedy: expect.stringContaining("create it"),
      });
  });

  it.each([
    ["an unknown key", { AWS_ACCESS_KEY_ID: "wrong-key" }],
    ["a wrong secret", { AWS_SECRET_ACCESS_KEY: "wrong-secret" }],
  ])("when the server refuses %s", async (_, env) => {
    using _environment = withEnvironment(env);
    const store = await openFresh();
    for (const tried of [
      () => store.put("k", bytesOf("x")),
      () => store.get("k"),
      () => store.head("k"),
      () => firstOf(store),
    ])
      expect(await refusalOf(tried())).toMatchObject({
        code: "FAILED_PRECONDITION",
        message: expect.stringContaining("refuses the credentials"),
        remedy: expect.stringContaining("AWS_ACCESS_KEY_ID"),
      });
  });

  it("when no credentials are found", async () => {
    using scratch = scratchFolder();
    using _environment = withEnvironment({
      AWS_ACCESS_KEY_ID: undefined,
      AWS_SECRET_ACCESS_KEY: undefined,
      AWS_PROFILE: undefined,
      AWS_EC2_METADATA_DISABLED: "true",
      AWS_CONFIG_FILE: scratch.file("none"),
      AWS_SHARED_CREDENTIALS_FILE: scratch.file("none"),
    });
    expect(await refusalOf((await openFresh()).get("k"))).toMatchObject({
      code: "FAILED_PRECONDITION",
      message: expect.stringContaining("no credentials"),
      remedy: expect.stringContaining("AWS_PROFILE"),
    });
  });

  it("when nobody listens at the endpoint", async () => {
    const endpoint = `http://127.0.0.1:${await freePort()}`;
    expect(await refusalOf((await openFresh({ endpoint })).get("k"))).toMatchObject({
      code: "UNAVAILABLE",
      message: expect.stringContaining(`${endpoint} cannot be reached`),
    });
  });

  it("when the clocks differ, and by how much", async () => {
    // versitygw refuses what was signed too long ago; the SDK then signs by the server's clock. Here the server's Date
    // is always an hour ahead of itself, so that no correction helps.
    await using front = await startFront(() => "skewed");
    expect(await refusalOf((await openFresh({ endpoint: front.endpoint })).get("k"))).toMatchObject({
      code: "FAILED_PRECONDITION",
      message: expect.stringMatching(/the clock of this machine is (59|60|61) minutes behind that of http/),
    });
  });

  it("when the server has no room", async () => {
    await using front = await startFront(() => "full");
    const store = await openFresh({ endpoint: front.endpoint });
    expect(await refusalOf(store.put("k", bytesOf("x")))).toMatchObject({ code: "RESOURCE_EXHAUSTED" });
  });

  it("when a job file holds a password, which the message does not repeat", async () => {
    const job = `metadata: { name: a }
spec: { data: { source: "shapes:256" }, store: { endpoint: "http://user:wrong-secret@127.0.0.1:9000" } }`;
    const refusal = await refusalOf((async () => parseJob(job, { file: "job.yaml" }))());
    expect(refusal).toMatchObject({ code: "INVALID_ARGUMENT", message: expect.stringContaining("store.endpoint") });
  });

  it("when the bucket is in another region", async () => {
    await using front = await startFront(() => "redirect");
    expect(await refusalOf((await openFresh({ endpoint: front.endpoint })).get("k"))).toMatchObject({
      code: "FAILED_PRECONDITION",
      message: expect.stringContaining("is in region eu-west-1"),
      remedy: expect.stringContaining("spec.store.region"),
    });
  });

  it.each(["http://user:wrong-secret@127.0.0.1:9000", "ftp://127.0.0.1"])(
    "when the endpoint is %s",
    async (endpoint) => {
      expect(await refusalOf(openFresh({ endpoint }))).toMatchObject({
        code: "INVALID_ARGUMENT",
        message: expect.stringContaining("spec.store.endpoint"),
      });
      using _environment = withEnvironment({ AWS_ENDPOINT_URL_S3: endpoint });
      expect(await refusalOf(openFresh())).toMatchObject({
        code: "INVALID_ARGUMENT",
        message: expect.stringContaining("AWS_ENDPOINT_URL_S3"),
      });
    },
  );

  it.each(["s3://", "s3:///prefix", "s3://Not_A_Bucket/x"])("when %s names no bucket", async (url) => {
    expect(await refusalOf(openStore(url))).toMatchObject({ code: "INVALID_ARGUMENT" });
  });
});

async function firstOf(store: ObjectStore): Promise<unknown> {
  for await (const object of store.list("")) return object;
  return null;
}

type Answer = "forward" | "503" | "lose the answer" | "skewed" | "redirect" | "full";

/**
 * A server in front of the real one. It differs from S3 in that it answers some requests by itself: 503 SlowDown, a clock
 * that is an hour ahead, a redirect; or it passes a request on and breaks the connection instead of answering.
 */
async function startFront(decide: (request: IncomingMessage, count: number) => Answer) {
  let count = 0;
  const front = createServer((request, response) => {
    const answer = decide(request, ++count);
    if (answer === "forward" || answer === "lose the answer") return forward(request, response, answer !== "forward");
    request.resume();
    const { status, code, headers } = REFUSALS[answer]();
    request.on("end", () => {
      response.writeHead(status, { "content-type": "application/xml", ...headers });
      response.end(`<?xml version="1.0"?><Error><Code>${code}</Code><Message>as told</Message></Error>`);
    });
  });
  await new Promise<void>((resolve) => front.listen(0, "127.0.0.1", resolve));
  return {
    endpoint: `http://127.0.0.1:${(front.address() as AddressInfo).port}`,
    count: () => count,
    async [Symbol.asyncDispose]() {
      front.closeAllConnections();
      await new Promise((resolve) => front.close(resolve));
    },
  };
}

const HOUR_MS = 3_600_000;

const REFUSALS = {
  "503": () => ({ status: 503, code: "SlowDown", headers: {} }),
  skewed: () => ({
    status: 403,
    code: "RequestTimeTooSkewed",
    headers: { date: new Date(Date.now() + HOUR_MS).toUTCString() },
  }),
  // The code and status of versitygw on a full disk.
  full: () => ({ status: 507, code: "InsufficientStorage", headers: {} }),
  redirect: () => ({ status: 301, code: "PermanentRedirect", headers: { "x-amz-bucket-region": "eu-west-1" } }),
};

function forward(request: IncomingMessage, response: ServerResponse, lose: boolean): void {
  const { method, url: path, headers } = request;
  const [host, port] = server().address.split(":");
  // The host header stays what was signed.
  const upstream = httpRequest({ host, port, method, path, headers }, (answer) => {
    answer.on("end", () => lose && request.socket.destroy());
    if (lose) return answer.resume();
    response.writeHead(answer.statusCode!, answer.headers);
    return answer.pipe(response);
  });
  upstream.on("error", () => request.socket.destroy());
  request.pipe(upstream);
}
