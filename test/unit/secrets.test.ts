import { readFileSync } from "node:fs";
import { afterEach, describe, expect, it, vi } from "vitest";
import { createBus } from "../../shared/bus/bus.ts";
import type { RunEvent } from "../../shared/bus/events.ts";
import { describeError, PlumeError } from "../../shared/errors.ts";
import { createLog } from "../../shared/log.ts";
import { redact } from "../../shared/secrets.ts";
import { scratchFolder } from "../support/plume.ts";

const SEED = `SU${"A7".repeat(28)}`;
const SECRETS = {
  "the id of an AWS key": ["AKIAIOSFODNN7EXAMPLE", "key AKIAIOSFODNN7EXAMPLE is unknown"],
  "a seed of NATS": [SEED, `the seed ${SEED} signs nothing`],
  "a JSON web token": [
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl",
    "jwt eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl",
  ],
  "a URL's password": ["hunter22", "cannot reach nats://plume:hunter22@nats.example:4222/x"],
  "a signed URL": ["0123abcd4567", "GET https://s3/x?X-Amz-Signature=0123abcd4567&a=1 failed"],
  "a header": ["c2VjcmV0LXNlY3JldA==", "authorization: Basic c2VjcmV0LXNlY3JldA=="],
  "a field of JSON": ['s3cr\\"et-value', JSON.stringify({ monitoringToken: 's3cr"et-value', other: 1 })],
  "a query": ["abcdefgh12345678", "http://127.0.0.1:80/?token=abcdefgh12345678#x"],
  "a private key": ["MIIabc", "-----BEGIN PRIVATE KEY-----\nMIIabc\n-----END PRIVATE KEY-----"],
} as const;

afterEach(() => void vi.unstubAllEnvs());

describe("redact", () => {
  it.each(Object.entries(SECRETS))("takes %s out and leaves the rest", (_, [secret, text]) => {
    const told = redact(text);
    expect(told).not.toContain(secret);
    expect(told).toContain("[redacted]");
    expect(redact(`before ${text} after`)).toMatch(/^before .*\[redacted\].* after$/s);
  });

  it("leaves what is no secret as it is", () => {
    for (const text of [
      "token budget 1234",
      "no heartbeat for 1.6 s",
      "s3://bucket/runs/shapes",
      '{"step":4,"digest":"91ab91ab91ab91ab","nonce":"x","tokens":12}',
      "at run (file:///app/worker/session.ts:10:3)",
      "http://127.0.0.1:9000 does not answer",
    ])
      expect(redact(text)).toBe(text);
  });

  it("keeps JSON what it is", () => {
    const told = redact(JSON.stringify({ a: 'x"y', password: 'p"q\\', url: "redis://u:p@h/0", b: [1] }));
    expect(JSON.parse(told)).toEqual({ a: 'x"y', password: "[redacted]", url: "redis://[redacted]@h/0", b: [1] });
  });

  it("is done with a long line in no time", () => {
    const text = "a.b-c+d:".repeat(20_000);
    expect(redact(text)).toBe(text);
  });
});

describe("what is kept and shown", () => {
  it("has no secret in errors and events", () => {
    const [secret, text] = SECRETS["a URL's password"];
    expect(new PlumeError("UNAVAILABLE", text).message).not.toContain(secret);
    expect(describeError(new Error(text))).not.toContain(secret);
    const heard: RunEvent[] = [];
    const bus = createBus((error) => expect.fail(String(error)));
    bus.subscribe((event) => heard.push(event));
    bus.publish({ kind: "checkpoint-failed", step: 3, reason: text });
    expect(JSON.stringify(heard)).toBe(
      '[{"kind":"checkpoint-failed","step":3,"reason":"cannot reach nats://[redacted]@nats.example:4222/x"}]',
    );
  });

  it("logs at the level that was asked for, with what is known of the work", () => {
    using scratch = scratchFolder();
    vi.stubEnv("PLUME_LOG_LEVEL", "warn");
    const file = scratch.file("logs", "a.log");
    let step = 1;
    const log = createLog(
      { role: "worker", worker: "worker-0" },
      { file, facts: () => ({ job: "j", incarnation: 2, step }) },
    );
    log.info("not this");
    log.warn({ url: "http://u:p4ssw0rd@h/" }, "this");
    step = 7;
    log.error({ step: 5 }, "and this");
    const lines = readFileSync(file, "utf8")
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line));
    expect(lines).toMatchObject([
      { level: 40, role: "worker", worker: "worker-0", job: "j", incarnation: 2, step: 1, url: "http://[redacted]@h/" },
      { level: 50, step: 5, msg: "and this" },
    ]);
    vi.stubEnv("PLUME_LOG_LEVEL", "loud");
    expect(() => createLog({})).toThrow(/PLUME_LOG_LEVEL=loud is no level of a log/);
  });
});
