// A real S3 server on loopback, with a bucket and keys of its own: versitygw, which keeps objects as files. Where
// PLUME_TEST_MINIO names MinIO's binary, that one instead, for a second opinion; it keeps objects its own way.

import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, mkdirSync } from "node:fs";
import { CreateBucketCommand, HeadBucketCommand, S3Client } from "@aws-sdk/client-s3";
import { cacheFolder } from "../../shared/cache-folder.ts";
import { PlumeError } from "../../shared/errors.ts";
import "../../shared/store/s3-client.ts"; // which hushes the SDK's word about coming versions of Node
import { scratchFolder } from "./plume.ts";
import { freePort, killed, pause } from "./processes.ts";

export const S3_KEY = "plume-test-key";
export const S3_SECRET = "plume-test-secret-3141592653";
const REGION = "us-east-1";
const READY_SECONDS = 30;

export interface S3Server extends AsyncDisposable {
  /** host:port */
  readonly address: string;
  readonly endpoint: string;
  readonly bucket: string;
  /** Where the objects lie as files; for faults that come from behind the server. */
  readonly folder: string;
  /** What a process must have in its environment to find the server. */
  readonly env: Readonly<Record<string, string>>;
  /** The SDK's client, for what a store does not do. It tries once. */
  readonly client: S3Client;
  /** SIGKILL. */
  kill(): Promise<void>;
  /** Starts it again at the same address, on the same objects; with another secret, which the environment does not have. */
  restart(secret?: string): Promise<void>;
}

/** @param host address it listens on. @throws PlumeError FAILED_PRECONDITION when the server is not built. */
export async function startS3Server(host = "127.0.0.1"): Promise<S3Server> {
  const minio = process.env.PLUME_TEST_MINIO;
  const binary = minio ?? cacheFolder("versitygw/current/versitygw");
  if (!existsSync(binary))
    throw new PlumeError("FAILED_PRECONDITION", `the S3 server of the tests is not in ${binary}`, {
      remedy: "npm run setup:s3",
    });
  const scratch = scratchFolder();
  for (const folder of ["data", "iam"]) mkdirSync(scratch.file(folder));
  const address = `${host}:${await freePort()}`;
  const endpoint = `http://${address}`;
  const bucket = "plume-test";
  const client = new S3Client({
    endpoint,
    region: REGION,
    forcePathStyle: true,
    credentials: { accessKeyId: S3_KEY, secretAccessKey: S3_SECRET },
    maxAttempts: 1,
  });
  let server: ChildProcess | null = null;

  const start = async (secret = S3_SECRET): Promise<void> => {
    const where = ["--port", address, "--access", S3_KEY, "--secret", secret];
    const versitygw = [...where, "--iam-dir", scratch.file("iam"), "--keep-alive", "--quiet", "posix"];
    const args = minio ? ["server", "--quiet", "--address", address] : versitygw;
    const child = spawn(binary, [...args, scratch.file("data")], {
      env: { ...process.env, MINIO_ROOT_USER: S3_KEY, MINIO_ROOT_PASSWORD: secret },
      stdio: ["ignore", "pipe", "pipe"],
    });
    let output = "";
    for (const stream of [child.stdout, child.stderr])
      stream.on("data", (chunk: Buffer) => {
        output += chunk;
      });
    server = child;
    const end = Date.now() + READY_SECONDS * 1000;
    while (!(await answers(client, bucket))) {
      if (child.exitCode !== null) throw new Error(`the S3 server ended with ${child.exitCode}: ${output}`);
      if (Date.now() > end) throw new Error(`the S3 server is not ready within ${READY_SECONDS} s: ${output}`);
      await pause(20);
    }
  };
  const kill = async (): Promise<void> => {
    const child = server;
    server = null;
    await killed(child);
  };

  const dispose = async (): Promise<void> => {
    await kill();
    client.destroy();
    scratch[Symbol.dispose]();
  };
  try {
    await start();
    await client.send(new CreateBucketCommand({ Bucket: bucket }));
  } catch (error) {
    await dispose();
    throw error;
  }
  return {
    address,
    endpoint,
    bucket,
    folder: scratch.file("data", bucket),
    env: {
      AWS_ACCESS_KEY_ID: S3_KEY,
      AWS_SECRET_ACCESS_KEY: S3_SECRET,
      AWS_REGION: REGION,
      AWS_ENDPOINT_URL_S3: endpoint,
    },
    client,
    kill,
    restart: start,
    [Symbol.asyncDispose]: dispose,
  };
}

/** A signed request is answered, whether or not there is a bucket yet, or the key is still good. */
const answers = (client: S3Client, Bucket: string): Promise<boolean> =>
  client.send(new HeadBucketCommand({ Bucket })).then(
    () => true,
    (error: { $metadata?: { httpStatusCode?: number } }) => [403, 404].includes(error.$metadata?.httpStatusCode ?? 0),
  );

/** The environment of this process, as `env` says, until the scope ends; what is undefined is taken away. */
export function withEnvironment(env: Readonly<Record<string, string | undefined>>): Disposable {
  const before = Object.fromEntries(Object.keys(env).map((name) => [name, process.env[name]]));
  const set = (values: Readonly<Record<string, string | undefined>>) => {
    for (const [name, value] of Object.entries(values))
      if (value === undefined) delete process.env[name];
      else process.env[name] = value;
  };
  set(env);
  return { [Symbol.dispose]: () => set(before) };
}
