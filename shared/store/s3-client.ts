// How s3://BUCKET/PREFIX is reached: the SDK's client, its limits and retries. Credentials come from the SDK's own chain
// (environment, profile, web identity, instance) and stay in it: nothing here reads, keeps or prints one.

import { S3Client } from "@aws-sdk/client-s3";
import { PlumeError } from "../errors.ts";
import { endpointOf, type StoreAccess } from "./access.ts";
import type { Keys } from "./key.ts";

// plume pins a version that runs on every Node that plume supports; what later versions will need is no news to a user.
process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED ??= "true";

/** Tries of one request, the first included; between them the SDK waits longer and longer. */
const TRIES = 4;
const MAX_SOCKETS = 16;
const CONNECT_MS = 5_000;
/** A body may take this much longer than the answer to it. */
const SLOWEST_BYTES_PER_MS = 64;
/** Where nobody says otherwise, as in AWS's own tools; servers other than AWS rarely care. */
const DEFAULT_REGION = "us-east-1";

/** An opened bucket, and what messages say of it. */
export interface S3Place {
  readonly client: S3Client;
  readonly bucket: string;
  /** "" or "some/prefix/". */
  readonly prefix: string;
  /** Of whom messages speak. */
  readonly server: string;
  readonly timeoutMs: number;
}

/** @param rest of the URL, behind s3://. @returns null when it names no bucket. @throws PlumeError INVALID_ARGUMENT. */
export async function openPlace(rest: string, access: StoreAccess, keys: Keys): Promise<S3Place | null> {
  const [, bucket = "", path = ""] = /^([^/]*)\/*(.*?)\/*$/.exec(rest) ?? [];
  if (!/^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/.test(bucket)) return null;
  const endpoint = checkEndpoint(access);
  const timeoutMs = (access.timeoutSeconds ?? 30) * 1000;
  const options = {
    ...(endpoint && { endpoint }),
    ...(access.profile !== undefined && { profile: access.profile }),
    forcePathStyle: access.pathStyle ?? endpoint !== undefined,
    retryMode: "standard",
    maxAttempts: TRIES,
    requestHandler: {
      connectionTimeout: Math.min(CONNECT_MS, timeoutMs),
      socketTimeout: timeoutMs,
      requestTimeout: timeoutMs,
      throwOnRequestTimeout: true,
      httpAgent: { keepAlive: true, maxSockets: MAX_SOCKETS },
      httpsAgent: { keepAlive: true, maxSockets: MAX_SOCKETS },
    },
  };
  const client = new S3Client({ ...options, ...(await regionOf(options, access)) });
  const prefix = path === "" ? "" : `${keys.check(path)}/`;
  return { client, bucket, prefix, server: endpoint ?? "AWS S3", timeoutMs };
}

/** How a request with so many bytes of body goes: until when, and until how long after its start an answer must begin. */
export const sending = ({ timeoutMs }: S3Place, signal: AbortSignal | undefined, bytes = 0) => ({
  ...(signal && { abortSignal: signal }),
  requestTimeout: timeoutMs + bytes / SLOWEST_BYTES_PER_MS,
});

/** The job's region, or the environment's and the profile's, which the SDK finds, or the default. */
async function regionOf(options: object, access: StoreAccess): Promise<{ region?: string }> {
  if (access.region !== undefined) return { region: access.region };
  const found = await new S3Client(options).config.region().catch(() => null);
  return found === null ? { region: DEFAULT_REGION } : {};
}

/** @returns null when neither the job nor the environment names one. */
function checkEndpoint(access: StoreAccess): string | undefined {
  const source = access.endpoint !== undefined ? "spec.store.endpoint" : "AWS_ENDPOINT_URL_S3";
  const text = endpointOf(access);
  if (!text) return undefined;
  const url = URL.canParse(text) ? new URL(text) : null;
  if (url?.username || url?.password)
    throw new PlumeError("INVALID_ARGUMENT", `${source} holds a user name or a password`, {
      remedy: "give the URL alone; keys belong in AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or in a profile",
    });
  if (url?.protocol !== "http:" && url?.protocol !== "https:")
    throw new PlumeError("INVALID_ARGUMENT", `${source} ${text} is no http:// or https:// URL`, {
      remedy: "for example http://minio.storage:9000",
    });
  return text;
}
