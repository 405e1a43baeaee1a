// deploy/nats on a real server: who may do what, and who may not. And what is said of an address, credentials, a certificate or
// a server that cannot be right.

import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { jetstreamManager } from "@nats-io/jetstream";
import { encodeAccount, encodeOperator, encodeUser, fmtCreds } from "@nats-io/jwt";
import { createAccount, createOperator, createUser, type KeyPair } from "@nats-io/nkeys";
import { nkeyAuthenticator } from "@nats-io/transport-node";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { natsWire } from "../../coordinator/cli/control/nats-wire.ts";
import { createNats } from "../../coordinator/nats/onlooker.ts";
import type { StampedEvent } from "../../shared/bus/event-log.ts";
import { describeError, PlumeError } from "../../shared/errors.ts";
import type { NatsSettings } from "../../shared/nats/settings.ts";
import { type NatsServer, startNatsServer } from "../support/nats-server.ts";
import { scratchFolder } from "../support/plume.ts";
import { freePort, pause } from "../support/processes.ts";
import { refusalOf } from "../support/refusal.ts";
import { openTestRun, type TestRun, testJob } from "../support/run-view.ts";

const scratch = scratchFolder();
let files = 0;
const fileOf = (text: string | Uint8Array): string => {
  const file = scratch.file(`file-${files++}`);
  writeFileSync(file, text);
  return file;
};

interface User {
  readonly pair: KeyPair;
  /** Its seed. */
  readonly file: string;
}
const newUser = (): User => {
  const pair = createUser();
  return { pair, file: fileOf(pair.getSeed()) };
};
const ROLES = ["operator", "coordinator", "reader", "worker"] as const;
type Role = (typeof ROLES)[number];

/** deploy/nats/users.conf with keys of our own. */
async function guarded(): Promise<{ readonly server: NatsServer; readonly users: Record<Role, User> }> {
  const users = Object.fromEntries(ROLES.map((role) => [role, newUser()])) as Record<Role, User>;
  const config = ROLES.reduce(
    (text, role) => text.replace(`$PLUME_${role.toUpperCase()}`, users[role].pair.getPublicKey()),
    readFileSync("deploy/nats/users.conf", "utf8"),
  );
  return { server: await startNatsServer({ config }), users };
}

interface Attached extends TestRun, AsyncDisposable {}

async function attach(folder: string, name: string, nats: object): Promise<Attached> {
  const run = openTestRun({ folder, name, spec: { nats } });
  const onlooker = createNats({ recovering: false, epochMs: Date.now });
  await onlooker.open(run.view.job);
  await onlooker.attach(run.view);
  return { ...run, [Symbol.asyncDispose]: () => onlooker.close() };
}

/** What a job with these settings is refused with, before anything is written. */
const refusalOfJob = (nats: object) =>
  refusalOf(createNats({ recovering: false, epochMs: Date.now }).open(testJob("x", { nats })), [
    /\bSU[A-Z0-9]{20}|secret/,
  ]);

/** What a user reads of a job's events, once there are so many. */
async function eventsRead(settings: NatsSettings, job: string, count: number): Promise<StampedEvent[]> {
  for (const end = Date.now() + 60_000; ; await pause(50)) {
    const seen: StampedEvent[] = [];
    await using wire = await natsWire({ settings, job, timeoutMs: 5_000 });
    try {
      for await (const event of wire.events(false, new AbortController().signal)) seen.push(event);
      if (seen.length >= count) return seen;
      if (Date.now() > end) throw new Error(`${seen.length} of ${count} events within 60 s`);
    } catch (error) {
      if (!(error instanceof PlumeError && error.code === "NOT_FOUND") || Date.now() > end) throw error;
    }
  }
}

describe("the users of deploy/nats", () => {
  const folder = scratchFolder();
  let server: NatsServer;
  let users: Record<Role, User>;
  let run: Attached;
  const as = (role: Role): NatsSettings => ({ servers: [server.url], credentials: users[role].file });
  const connectAs = (role: Role) => server.connect({ authenticator: nkeyAuthenticator(users[role].pair.getSeed()) });

  beforeAll(async () => {
    ({ server, users } = await guarded());
    run = await attach(folder.path, "guarded", as("coordinator"));
    run.publish({ kind: "warning", message: "hello" });
  });
  afterAll(async () => {
    await run?.[Symbol.asyncDispose]();
    await server?.[Symbol.asyncDispose]();
    folder[Symbol.dispose]();
  });

  it("can do what they must: a coordinator hears, answers and writes, an operator commands, a reader reads", async () => {
    await using operator = await natsWire({ settings: as("operator"), job: "guarded", timeoutMs: 5_000 });
    expect(await operator.ask("scale", { replicas: 3 })).toEqual({ before: 1, replicas: 3 });
    for (const role of ["operator", "reader"] as const) {
      const kinds = (await eventsRead(as(role), "guarded", 2)).map(({ event }) => event.kind);
      expect(kinds).toEqual(["warning", "command"]);
    }
    expect(run.warnings).toEqual(["hello"]);
  });

  it("cannot do more: who is no operator commands nothing, and who is no coordinator writes nothing", async () => {
    for (const role of ["coordinator", "reader", "worker"] as const) {
      await using wire = await natsWire({ settings: as(role), job: "guarded", timeoutMs: 2_000 });
      expect(await refusalOf(wire.ask("stop", {}))).toMatchObject({ code: "FAILED_PRECONDITION", exitCode: 2 });
    }
    for (const role of ["operator", "reader", "worker"] as const) {
      const connection = await connectAs(role);
      connection.publish("plume.guarded.event.lifecycle", '{"id":"1-9","atMs":1,"event":{"kind":"end"}}');
      connection.publish("$KV.plume-status.guarded", "{}");
      await connection.flush();
    }
    const seen = await eventsRead(as("reader"), "guarded", 2);
    expect(seen.map(({ event }) => event.kind)).toEqual(["warning", "command"]);
    const reader = await connectAs("reader");
    const status = await reader.request("$JS.API.DIRECT.GET.KV_plume-status.$KV.plume-status.guarded");
    expect(status.json()).toMatchObject({ job: "guarded" });
    expect(run.done).toEqual(["scale 3"]);
  });

  it("cannot make the server command for them: a reader's consumer that delivers to a command's subject", async () => {
    const heard: string[] = [];
    const hearer = await connectAs("coordinator");
    hearer.subscribe("plume.guarded.cmd.stop", { callback: (_, message) => void heard.push(message.string()) });
    await hearer.flush();
    await eventsRead(as("reader"), "guarded", 2);
    const { consumers } = await jetstreamManager(await connectAs("reader"), { checkAPI: false });
    for (const headers_only of [false, true])
      await consumers.add("plume-events-guarded", {
        name: `evil-${headers_only}`,
        deliver_subject: "plume.guarded.cmd.stop",
        headers_only,
        ack_policy: "none",
      });
    while (heard.length < 4) await pause(20);
    expect(heard.filter((text) => text === "")).toHaveLength(2); // they do come, with and without their payload
    await using operator = await natsWire({ settings: as("operator"), job: "guarded", timeoutMs: 5_000 });
    await operator.ask("pause", {}); // which is heard after them
    expect(run.done).toEqual(["scale 3", "pause"]);
  });
});

describe("credentials and certificates", () => {
  it("may be a .creds file of a user's JWT, on a server in operator mode", async () => {
    using folder = scratchFolder();
    const [operator, system, account, user] = [createOperator(), createAccount(), createAccount(), createUser()];
    const sign = (name: string, pair: KeyPair, limits = {}) =>
      encodeAccount(name, pair, { limits }, { signer: operator });
    const unlimited = {
      mem_storage: -1,
      disk_storage: -1,
      streams: -1,
      consumer: -1,
      conn: -1,
      subs: -1,
      data: -1,
      payload: -1,
    };
    const config = `operator: ${await encodeOperator("op", operator)}
      system_account: ${system.getPublicKey()}
      resolver: MEMORY
      resolver_preload: {
        ${system.getPublicKey()}: ${await sign("SYS", system)}
        ${account.getPublicKey()}: ${await sign("PLUME", account, unlimited)}
      }`;
    await using server = await startNatsServer({ config });
    const jwt = await encodeUser("coordinator", user, account, {});
    const credentials = fileOf(fmtCreds(jwt, user));
    await using run = await attach(folder.path, "creds", { servers: [server.url], credentials });
    await using wire = await natsWire({
      settings: { servers: [server.url], credentials },
      job: "creds",
      timeoutMs: 5_000,
    });
    expect(await wire.ask("pause", {})).toEqual({ alreadyPaused: false });
    expect(run.done).toEqual(["pause"]);
    const other = fileOf(fmtCreds(await encodeUser("mallory", createUser(), createAccount(), {}), createUser()));
    expect(await refusalOfJob({ servers: [server.url], credentials: other })).toMatchObject({
      code: "FAILED_PRECONDITION",
      message: expect.stringContaining(`refuses the credentials of ${other}`),
    });
  });

  it("are checked with TLS: a server is believed by its authority alone, and may ask for a certificate itself", async () => {
    using folder = scratchFolder();
    const { ca, cert, key } = certificates();
    const other = certificates();
    const tls = (verify: boolean) =>
      `tls { cert_file: "${cert}", key_file: "${key}", ca_file: "${ca}", verify: ${verify} }`;
    await using server = await startNatsServer({ config: tls(false) });
    const servers = [`tls://${server.address}`];
    await using run = await attach(folder.path, "tls", { servers, ca });
    await using wire = await natsWire({ settings: { servers, ca }, job: "tls", timeoutMs: 5_000 });
    expect(await wire.ask("resume", {})).toEqual({ wasPaused: true });
    expect(run.done).toEqual(["resume"]);
    expect(await refusalOfJob({ servers, ca: other.ca })).toMatchObject({
      code: "FAILED_PRECONDITION",
      message: expect.stringMatching(/^the certificate of the NATS server tls:.* is not trusted: /),
      remedy: expect.stringContaining("nats.ca"),
    });
    expect((await refusalOfJob({ servers })).message).toContain("is not trusted");
    await using strict = await startNatsServer({ config: tls(true) });
    const asked = await refusalOfJob({ servers: [strict.url], ca });
    expect(asked).toMatchObject({
      code: "FAILED_PRECONDITION",
      remedy: expect.stringContaining("nats.cert and nats.key"),
    });
    await using welcome = await natsWire({
      settings: { servers: [strict.url], ca, cert, key },
      job: "x",
      timeoutMs: 2_000,
    });
    expect(await refusalOf(welcome.ask("status", {}))).toMatchObject({
      message: expect.stringContaining("no coordinator"),
    });
  });
});

describe("a job whose NATS cannot be right", () => {
  it.each([
    [["http://127.0.0.1:4222"], "has the scheme http"],
    [["ws://127.0.0.1:4222"], "has the scheme ws"],
    [["nats://127.0.0.1:99999"], "is no address"],
    [["nats://"], "has no host"],
    [["two words"], "is no address"],
    [["nats://me:secret@127.0.0.1"], "holds a user name or a password"],
    [["nats://127.0.0.1:4222/path"], "has more behind its port"],
  ])("is refused: %s", async (servers, words) => {
    const error = await refusalOfJob({ servers });
    expect(error).toMatchObject({
      code: "INVALID_ARGUMENT",
      exitCode: 2,
      remedy: expect.stringContaining("nats://HOST:4222"),
    });
    expect(error.message).toContain(words);
  });

  it("is refused when a file is not there, or is none of its kind", async () => {
    const servers = ["nats://127.0.0.1:1"];
    const nothing = scratch.file("nothing");
    const text = fileOf("a letter");
    const refused = async (nats: object) => describeError(await refusalOfJob({ servers, ...nats }));
    expect(await refused({ credentials: nothing })).toContain(`nats.credentials: ${nothing} cannot be read (ENOENT)`);
    expect(await refused({ credentials: text })).toContain(`${text} holds no NATS credentials`);
    expect(await refused({ ca: nothing })).toContain("nats.ca: ");
    expect(await refused({ ca: text })).toContain(`${text} is no PEM file`);
    expect(await refused({ cert: text })).toContain("nats.cert is given without the other");
  });

  it("is refused by a server that wants credentials, or others, unless the run was under way", async () => {
    using folder = scratchFolder();
    const known = newUser();
    const stranger = newUser();
    await using server = await startNatsServer({
      config: `authorization { users: [{ nkey: ${known.pair.getPublicKey()} }, { user: me, password: secret }] }`,
    });
    const servers = [server.url];
    expect((await refusalOfJob({ servers })).message).toContain("refuses whoever has no credentials");
    const refused = await refusalOfJob({ servers, credentials: stranger.file });
    expect(refused).toMatchObject({ code: "FAILED_PRECONDITION", exitCode: 2 });
    expect(refused.message).toContain(`refuses the credentials of ${stranger.file}`);
    const run = openTestRun({
      folder: folder.path,
      name: "x",
      spec: { nats: { servers, credentials: stranger.file } },
    });
    const recovering = createNats({ recovering: true, epochMs: Date.now });
    await recovering.open(run.view.job);
    await recovering.attach(run.view);
    expect(run.warnings).toEqual([expect.stringContaining("the run goes on without")]);
    await recovering.close();
  });

  it("is not refused when no server answers: it is warned of, and the server is found when it comes", async () => {
    using folder = scratchFolder();
    await using server = await startNatsServer();
    await server.kill();
    await using run = await attach(folder.path, "later", { servers: [`127.0.0.1:${await freePort()}`, server.url] });
    expect(run.warnings).toEqual([expect.stringContaining("the run goes on without, and is there once it answers")]);
    await server.restart();
    const events = await eventsRead({ servers: [server.url] }, "later", 1);
    expect(events[0]).toMatchObject({ id: "1-1", event: { kind: "warning" } });
  });

  it("has its commands and lacks the rest, said once, on a server without JetStream, until it has it", async () => {
    using folder = scratchFolder();
    await using server = await startNatsServer({ jetstream: false });
    await using run = await attach(folder.path, "plain", { servers: [server.url] });
    for (let i = 0; i < 20; i++) {
      run.publish({ kind: "warning", message: `${i}` });
      await pause(20);
    }
    await using wire = await natsWire({ settings: { servers: [server.url] }, job: "plain", timeoutMs: 5_000 });
    expect(await wire.ask("pause", {})).toEqual({ alreadyPaused: false });
    const said = run.warnings.filter((message) => message.includes("JetStream"));
    expect(said).toEqual([
      expect.stringMatching(/keeps no events and no status .* without JetStream; commands work\. start it with -js/),
    ]);
    await expect(wire.events(false, new AbortController().signal)[Symbol.asyncIterator]().next()).rejects.toThrow(
      "keeps no events: it runs without JetStream",
    );
    await server.kill();
    await server.restart({ jetstream: true });
    const events = await eventsRead({ servers: [server.url] }, "plain", 20);
    expect(events.map(({ id }) => id).slice(0, 20)).toEqual(Array.from({ length: 20 }, (_, i) => `1-${i + 1}`));
  });
});

/** An authority, and a certificate of 127.0.0.1 for both sides. */
function certificates(): { readonly ca: string; readonly cert: string; readonly key: string } {
  const n = files++;
  const [ca, caKey, cert, key, request] = ["ca", "ca-key", "cert", "key", "request"].map((name) =>
    scratch.file(`${name}-${n}.pem`),
  ) as [string, string, string, string, string];
  const openssl = (...args: string[]) => execFileSync("openssl", args, { stdio: "pipe" });
  openssl(
    "req",
    "-x509",
    "-newkey",
    "rsa:2048",
    "-nodes",
    "-days",
    "2",
    "-subj",
    "/CN=plume test",
    "-keyout",
    caKey,
    "-out",
    ca,
  );
  openssl("req", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=127.0.0.1", "-keyout", key, "-out", request);
  const names = fileOf("subjectAltName=IP:127.0.0.1\n");
  openssl(
    "x509",
    "-req",
    "-in",
    request,
    "-CA",
    ca,
    "-CAkey",
    caKey,
    "-CAcreateserial",
    "-days",
    "2",
    "-extfile",
    names,
    "-out",
    cert,
  );
  return { ca, cert, key };
}
