// The gRPC plane with certificates, on real sockets and openssl's own files: who is let in, what is said to who is not, and
// files that change while servers run.

import { appendFileSync, chmodSync, copyFileSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import type { ServerHttp2Session } from "node:http2";
import type { ServiceError } from "@grpc/grpc-js";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { bindServer } from "../../coordinator/rpc/server.ts";
import { PushOutcome, type PushRequest, type PushResponse } from "../../proto/gen/plume/v1/training.ts";
import { sleep } from "../../shared/clock.ts";
import { PlumeError } from "../../shared/errors.ts";
import { chunksOf, writeMessage } from "../../shared/rpc/call.ts";
import { readTlsFiles } from "../../shared/rpc/tls/files.ts";
import { openPlane, type Plane } from "../../shared/rpc/tls/plane.ts";
import { findTrouble } from "../../shared/rpc/tls/trouble.ts";
import { TrainingClient, trainingService } from "../../shared/rpc/training-service.ts";
import { ownConnection, WINDOW_BYTES } from "../../shared/rpc/transport.ts";
import { type Authority, authority } from "../support/certificates.ts";
import { scratchFolder } from "../support/plume.ts";

const folder = scratchFolder();
let ours: Authority;
let theirs: Authority;
beforeAll(() => {
  ours = authority(folder.file("ours"), "our authority");
  theirs = authority(folder.file("theirs"), "their authority");
});
afterAll(() => folder[Symbol.dispose]());

const cleanups: (() => void)[] = [];
afterEach(() => {
  for (const cleanup of cleanups.splice(0)) cleanup();
});

let made = 0;
const issue = (from: Authority, options = {}) => from.issue(folder.file(`issue-${++made}`), options);
const SOON_MS = 3_500;
/** Valid just long enough to be taken. */
const soon = (): [Date, Date] => [new Date(Date.now() - 60_000), new Date(Date.now() + SOON_MS - 1_000)];
const problems: string[] = [];
const plane = (of: string | undefined): Plane =>
  openPlane(of, { epochMs: Date.now, onProblem: (reason) => void problems.push(reason), lookEveryMs: 50 });
const plaintext = plane(undefined);

interface Served {
  readonly port: number;
  readonly refused: readonly string[];
  readonly sessions: readonly ServerHttp2Session[];
}

/** Takes pushes and throws them away. */
async function serve(by: Plane): Promise<Served> {
  const refused: string[] = [];
  const sessions: ServerHttp2Session[] = [];
  const { server, address } = await bindServer("127.0.0.1:0", by, (reason) => refused.push(reason));
  const inside = server as unknown as {
    http2Servers: Map<{ on(e: "session", l: (s: ServerHttp2Session) => void): void }, unknown>;
  };
  for (const each of inside.http2Servers.keys()) each.on("session", (session) => sessions.push(session));
  const push = async (call: AsyncIterable<PushRequest>, respond: (error: null, response: PushResponse) => void) => {
    for await (const _ of call);
    respond(null, { outcome: PushOutcome.PUSH_OUTCOME_ACCEPTED, reason: "" });
  };
  server.addService(trainingService, { push, pull: () => {}, session: () => {} } as never);
  cleanups.push(() => server.forceShutdown());
  return { port: Number(address.split(":").at(-1)), refused, sessions };
}

/** @returns gRPC's words, or null for a push that was taken. */
function push(by: Plane, address: string, bytes = 10): Promise<string | null> {
  const client = new TrainingClient(address, ...by.client(address, ownConnection));
  return new Promise((resolve) => {
    const done = (error: ServiceError | null) => {
      client.close();
      resolve(error ? error.details : null);
    };
    const call = client.push({ deadline: Date.now() + 20_000 }, done);
    const send = async () => {
      for (const chunk of chunksOf(new Uint8Array(bytes)))
        await writeMessage(call, { part: { $case: "chunk", value: chunk as Buffer } });
      call.end();
    };
    send().catch(() => {}); // the answer says why
  });
}

async function sayWhy(by: Plane, address: string): Promise<string> {
  const said = await push(by, address);
  expect(said).not.toBeNull();
  const trouble = await findTrouble(by, address, said!);
  expect(trouble?.remedy).toBeTruthy();
  return trouble!.says;
}

describe("a plane with certificates", () => {
  it("lets in who has one of its authority, by name and by address", async () => {
    const { port, refused } = await serve(plane(issue(ours)));
    const client = plane(issue(ours));
    expect(await push(client, `localhost:${port}`)).toBeNull();
    expect(await push(client, `127.0.0.1:${port}`)).toBeNull();
    expect(refused).toEqual([]);
  });

  it("keeps the windows that make uploads fast", async () => {
    const { port, sessions } = await serve(plane(issue(ours)));
    expect(await push(plane(issue(ours)), `localhost:${port}`, 32 * 2 ** 20)).toBeNull();
    expect(sessions[0]!.state.effectiveLocalWindowSize).toBe(WINDOW_BYTES);
    expect(sessions[0]!.localSettings.initialWindowSize).toBe(WINDOW_BYTES);
  });

  it("refuses a client of another authority, and one whose certificate has expired; both sides say so", async () => {
    const { port, refused } = await serve(plane(issue(ours)));
    // Trusts the server, and is not trusted: only the server's check is left.
    const stranger = issue(theirs);
    const both = folder.file("both.crt");
    copyFileSync(theirs.certificate, both);
    appendFileSync(both, readFileSync(ours.certificate));
    copyFileSync(both, `${stranger}/ca.crt`);
    expect(await sayWhy(plane(stranger), `localhost:${port}`)).toContain(
      "does not accept the certificate in PLUME_TLS",
    );
    expect(refused.at(-1)).toMatch(/^its certificate: (SELF_SIGNED|UNABLE_TO_VERIFY)/);
    const old = plane(issue(ours, { valid: soon() }));
    await sleep(SOON_MS);
    expect(await sayWhy(old, `localhost:${port}`)).toContain("does not accept the certificate in PLUME_TLS");
    expect(refused.at(-1)).toBe("its certificate: CERT_HAS_EXPIRED");
  });

  it("is not fooled by a server of another authority, for another host, or out of date", async () => {
    const client = plane(issue(ours));
    const other = await serve(plane(issue(theirs)));
    expect(await sayWhy(client, `localhost:${other.port}`)).toContain("of no authority that ca.crt of PLUME_TLS has");
    const elsewhere = await serve(plane(issue(ours, { names: "DNS:plume-coordinator" })));
    expect(await sayWhy(client, `localhost:${elsewhere.port}`)).toContain("is not for the host that was dialled");
    expect(await sayWhy(client, `127.0.0.1:${elsewhere.port}`)).toContain("is not for the host that was dialled");
    const old = await serve(plane(issue(ours, { valid: soon() })));
    await sleep(SOON_MS);
    expect(await sayWhy(client, `localhost:${old.port}`)).toContain("its certificate has expired");
  });

  it("says which side has TLS and which has not", async () => {
    const secure = await serve(plane(issue(ours)));
    expect(await sayWhy(plaintext, `localhost:${secure.port}`)).toBe("it speaks TLS, and this process plaintext");
    expect(secure.refused[0]).toContain("it speaks plaintext, and this server TLS");
    const plain = await serve(plaintext);
    expect(await sayWhy(plane(issue(ours)), `localhost:${plain.port}`)).toBe(
      "it speaks plaintext, and this process TLS",
    );
    // Nobody there is no affair of TLS.
    const said = await push(plaintext, "localhost:1");
    expect(await findTrouble(plaintext, "localhost:1", said!)).toBeNull();
  });
});

describe("files that change", () => {
  it("are taken up by servers and clients that run, for the connections that come", async () => {
    const [server, client] = [issue(ours), issue(ours)];
    const [serving, dialling] = [plane(server), plane(client)];
    const { port } = await serve(serving);
    expect(await push(dialling, `localhost:${port}`)).toBeNull();
    // To another authority altogether: whoever has only old files is out.
    theirs.issue(server);
    theirs.issue(client);
    await expect.poll(() => push(dialling, `localhost:${port}`)).toBeNull();
    expect(await push(plane(issue(theirs)), `localhost:${port}`)).toBeNull();
    expect(await push(plane(issue(ours)), `localhost:${port}`)).not.toBeNull();
  });

  it("and cannot work are not taken up: those before them serve on, and it is said once", async () => {
    const server = issue(ours);
    const { port } = await serve(plane(server));
    const client = plane(issue(ours));
    problems.length = 0;
    writeFileSync(`${server}/tls.crt`, "torn");
    await expect.poll(() => problems).toHaveLength(1);
    expect(problems[0]).toContain("tls.crt holds no certificate");
    rmSync(`${server}/tls.key`);
    await expect.poll(() => problems.at(-1)).toContain("there is no");
    await sleep(300);
    expect(problems).toHaveLength(2);
    expect(await push(client, `localhost:${port}`)).toBeNull();
  });
});

describe("a folder of certificates", () => {
  const refusal = (of: string): PlumeError => {
    try {
      readTlsFiles(of, Date.now());
    } catch (error) {
      expect(error).toBeInstanceOf(PlumeError);
      expect((error as PlumeError).remedy).toBeTruthy();
      return error as PlumeError;
    }
    throw new Error("it was taken");
  };

  it("that cannot work is refused by file, reason and remedy", () => {
    expect(refusal(folder.file("nowhere"))).toMatchObject({ code: "NOT_FOUND" });
    const one = issue(ours);
    rmSync(`${one}/tls.key`);
    expect(refusal(one).message).toBe(`PLUME_TLS: there is no ${one}/tls.key`);
    const other = issue(ours);
    copyFileSync(`${other}/tls.key`, `${one}/tls.key`);
    expect(refusal(one).message).toContain(`${one}/tls.key is not the key of ${one}/tls.crt`);
    writeFileSync(`${one}/tls.key`, "no key");
    expect(refusal(one).message).toContain("tls.key holds no private key that can be read");
    writeFileSync(`${one}/ca.crt`, "");
    expect(refusal(one).message).toContain("ca.crt holds no certificate");
    const mixed = issue(ours);
    copyFileSync(theirs.certificate, `${mixed}/ca.crt`);
    expect(refusal(mixed).message).toContain("issued by CN=our authority, is of no authority in");
    const old = issue(ours, { valid: [new Date("2020-01-01"), new Date("2021-01-01")] });
    expect(refusal(old).message).toMatch(/tls\.crt expired on Jan {2}1 00:00:00 2021 GMT/);
    const young = issue(ours, { valid: [new Date("2090-01-01"), new Date("2091-01-01")] });
    expect(refusal(young).message).toContain("tls.crt is not valid before Jan  1 00:00:00 2090 GMT");
    const unreadable = issue(ours);
    rmSync(`${unreadable}/tls.key`);
    chmodSync(unreadable, 0o700);
    writeFileSync(`${unreadable}/tls.key.d`, "");
    expect(refusal(`${unreadable}/tls.key.d`)).toMatchObject({ code: "NOT_FOUND" });
  });
});
