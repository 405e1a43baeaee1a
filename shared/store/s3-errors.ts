// What went wrong with S3, for a person: which bucket or server, why, and what to do. An SDK error never goes further than
// this: it carries the key id, the signed string and the headers, and would take them into the logs.

import { type ErrorCode, PlumeError } from "../errors.ts";
import type { S3Place } from "./s3-client.ts";

/** The fields of an SDK error that are read here. */
export interface SdkError {
  readonly name?: string;
  readonly message?: string;
  /** Of the operating system. */
  readonly code?: string;
  readonly $metadata?: { readonly httpStatusCode?: number; readonly attempts?: number };
  readonly $response?: { readonly headers?: Readonly<Record<string, string>> };
}

interface Explanation {
  readonly code: ErrorCode;
  readonly reason: string;
  readonly remedy: string;
}

type Place = Pick<S3Place, "bucket" | "server" | "timeoutMs">;
type Explain = (error: SdkError, place: Place, nowMs: number) => Explanation;

export const statusOf = (error: unknown): number | undefined => (error as SdkError).$metadata?.httpStatusCode;
const nameOf = (error: unknown): string => (error as SdkError).name ?? "";

/** The object is not there. A bucket that is not there is another matter. */
export const isMissing = (error: unknown): boolean => statusOf(error) === 404 && nameOf(error) !== "NoSuchBucket";
export const isTaken = (error: unknown): boolean => statusOf(error) === 412;
/** Another writer of this key is at work. */
export const isConflict = (error: unknown): boolean => nameOf(error) === "ConditionalRequestConflict";
/** Bytes that are not those that were sent. */
export const isMismatch = (error: unknown): boolean =>
  MISMATCHES.includes(nameOf(error)) || /^Checksum mismatch/.test((error as SdkError).message ?? "");
/** The request may or may not have been carried out. */
export const isAmbiguous = (error: unknown): boolean => {
  const status = statusOf(error);
  return status === undefined || status >= 500 || ((error as SdkError).$metadata?.attempts ?? 1) > 1;
};

const MISMATCHES = ["BadDigest", "XAmzContentChecksumMismatch", "XAmzContentSHA256Mismatch", "InvalidDigest"];

const CREDENTIALS: Explain = (error, { bucket, server }) => ({
  code: "FAILED_PRECONDITION",
  reason: `${server} refuses the credentials (${error.name === "Unknown" ? statusOf(error) : error.name})`,
  remedy: `check AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or the profile, and that they may read and write bucket ${bucket}`,
});

const SKEW: Explain = ({ $response }, { server }, nowMs) => {
  const aheadMs = nowMs - Date.parse($response?.headers?.date ?? "");
  const by = Number.isNaN(aheadMs)
    ? "differs too much from"
    : `is ${span(Math.abs(aheadMs))} ${aheadMs > 0 ? "ahead of" : "behind"}`;
  return {
    code: "FAILED_PRECONDITION",
    reason: `the clock of this machine ${by} that of ${server}`,
    remedy: "set the clock of one of them (timedatectl set-ntp true)",
  };
};

const REGION: Explain = ({ $response }, { bucket }) => {
  const region = $response?.headers?.["x-amz-bucket-region"];
  return {
    code: "FAILED_PRECONDITION",
    reason: `bucket ${bucket} is in ${region ? `region ${region}` : "another region"}`,
    remedy: `set spec.store.region or AWS_REGION${region ? ` to ${region}` : ""}`,
  };
};

const FULL: Explain = ({ name }, { server }) => ({
  code: "RESOURCE_EXHAUSTED",
  reason: `${server} has no room (${name})`,
  remedy: "free some space or raise the quota",
});

const UNREACHABLE: Explain = ({ code }, { server }) => ({
  code: "UNAVAILABLE",
  reason: `${server} cannot be reached (${code})`,
  remedy: "check spec.store.endpoint or AWS_ENDPOINT_URL_S3, and that the server runs",
});

const SILENT: Explain = (_, { server, timeoutMs }) => ({
  code: "DEADLINE_EXCEEDED",
  reason: `${server} did not answer within ${timeoutMs / 1000} s, several times`,
  remedy: "see to the server or the network, or raise spec.store.timeoutSeconds",
});

const LOST: Explain = ({ code }, { server }) => ({
  code: "UNAVAILABLE",
  reason: `${server} broke the connection${code ? ` (${code})` : ""}`,
  remedy: "see to the server or the network",
});

const BY_NAME: Readonly<Record<string, Explain>> = {
  NoSuchBucket: (_, { bucket, server }) => ({
    code: "FAILED_PRECONDITION",
    reason: `${server} has no bucket ${bucket}`,
    remedy: `create it (aws s3 mb s3://${bucket}), or correct the URL or the endpoint`,
  }),
  InvalidAccessKeyId: CREDENTIALS,
  SignatureDoesNotMatch: CREDENTIALS,
  AccessDenied: CREDENTIALS,
  ExpiredToken: CREDENTIALS,
  InvalidToken: CREDENTIALS,
  // What the SDK says of them may quote a command of the profile, with its arguments.
  CredentialsProviderError: (_, { server }) => ({
    code: "FAILED_PRECONDITION",
    reason: `no credentials for ${server} are found`,
    remedy:
      "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE (spec.store.profile), or run where a role is given",
  }),
  RequestTimeTooSkewed: SKEW,
  RequestInTheFuture: SKEW,
  PermanentRedirect: REGION,
  AuthorizationHeaderMalformed: REGION,
  IllegalLocationConstraintException: REGION,
  QuotaExceeded: FULL,
  InsufficientStorage: FULL,
  XMinioStorageFull: FULL,
};

const BY_SYSTEM_CODE: Readonly<Record<string, Explain>> = {
  ECONNREFUSED: UNREACHABLE,
  ENOTFOUND: UNREACHABLE,
  EAI_AGAIN: UNREACHABLE,
  EHOSTUNREACH: UNREACHABLE,
  ENETUNREACH: UNREACHABLE,
  ETIMEDOUT: SILENT,
  ECONNRESET: LOST,
  EPIPE: LOST,
};

const BY_STATUS: Readonly<Record<number, Explain>> = { 301: REGION, 401: CREDENTIALS, 403: CREDENTIALS, 507: FULL };

const FAILING: Explain = (error, { server }) => ({
  code: "UNAVAILABLE",
  reason: `${server} answered ${statusOf(error)} ${error.name}, several times`,
  remedy: "see to the server, or try again later",
});

const REFUSED: Explain = (error, { server }) => ({
  code: "FAILED_PRECONDITION",
  reason: `${server} answered ${statusOf(error)} ${error.name}: ${error.message}`,
  remedy: "check checkpoint.store and the group spec.store",
});

/** @param doing "write s3://bucket/key". */
export function explain(doing: string, cause: unknown, place: Place, nowMs: number): PlumeError {
  if (cause instanceof PlumeError) return cause;
  if (isMismatch(cause))
    return new PlumeError("DATA_LOSS", `cannot ${doing}: the bytes changed on the way, their checksum does not match`, {
      remedy: "see to the network and to the server's disks",
    });
  const error = cause as SdkError;
  const said = ruleOf(error)(error, place, nowMs);
  return new PlumeError(said.code, `cannot ${doing}: ${said.reason}`, { remedy: said.remedy });
}

function ruleOf(error: SdkError): Explain {
  const named = BY_NAME[error.name ?? ""];
  if (named) return named;
  const status = statusOf(error);
  // The SDK calls a reset connection a TimeoutError as well, so the system's code comes first.
  if (status === undefined) return BY_SYSTEM_CODE[error.code ?? ""] ?? (error.name === "TimeoutError" ? SILENT : LOST);
  return BY_STATUS[status] ?? (status >= 500 ? FAILING : REFUSED);
}

function span(ms: number): string {
  const minutes = Math.round(ms / 60_000);
  if (minutes < 2) return `${Math.round(ms / 1000)} s`;
  return minutes < 120 ? `${minutes} minutes` : `${Math.round(minutes / 60)} hours`;
}
