// The one base error of plume. A code fixes the gRPC status and the process's exit code; the message names the
// subject, the value and the remedy. User faults throw PlumeError; impossible states call `invariant`.

import { redact } from "./secrets.ts";

/**
 * grpc: the status number sent over gRPC. exit: the exit code of the command line (1 failed, 2 a mistake of the user).
 * says: what its message names; what to do about it is the remedy.
 */
export const ERROR_CODES = {
  INVALID_ARGUMENT: {
    grpc: 3,
    exit: 2,
    meaning: "a mistake in the command, the job file or the data it names",
    says: "the option, field or file, its value, what is allowed",
  },
  NOT_FOUND: {
    grpc: 5,
    exit: 2,
    meaning: "a file, class, checkpoint or data set that does not exist",
    says: "what was looked for, and where",
  },
  ALREADY_EXISTS: {
    grpc: 6,
    exit: 2,
    meaning: "an object that is there already, where it must not be",
    says: "the object",
  },
  FAILED_PRECONDITION: {
    grpc: 9,
    exit: 2,
    meaning: "the request does not fit the state or the file it is made on",
    says: "what was asked for, what it meets, what to change",
  },
  STALE: {
    grpc: 10,
    exit: 1,
    meaning: "a message of an earlier incarnation, step or attempt",
    says: "the message, and what is current now",
  },
  DATA_LOSS: {
    grpc: 15,
    exit: 1,
    meaning: "a digest that does not match, a torn or corrupt file",
    says: "the file or transfer, both digests or the flaw",
  },
  RESOURCE_EXHAUSTED: {
    grpc: 8,
    exit: 1,
    meaning: "a memory, disk or queue limit was reached",
    says: "the resource, what is wanted, what there is",
  },
  DEADLINE_EXCEEDED: { grpc: 4, exit: 1, meaning: "no answer in time", says: "who did not answer, and for how long" },
  UNAVAILABLE: {
    grpc: 14,
    exit: 1,
    meaning: "the other process cannot be reached",
    says: "whom, and what to start or install",
  },
  NUMERICS: {
    grpc: 11,
    exit: 1,
    meaning: "a value that is not finite, or bits that differ where they must not",
    says: "the step and the tensor or block",
  },
  INTERRUPTED: { grpc: 1, exit: 130, meaning: "stopped by the user", says: "by what" },
  INTERNAL: { grpc: 13, exit: 1, meaning: "a defect of plume", says: "the broken assumption; please report it" },
} as const;

export type ErrorCode = keyof typeof ERROR_CODES;

/** Codes of the user's mistakes: the compiler refuses such an error without a remedy. */
type Mistake = { [Code in ErrorCode]: (typeof ERROR_CODES)[Code]["exit"] extends 2 ? Code : never }[ErrorCode];

/** For a message that no plume of this version sends. */
export const OTHER_VERSION = { remedy: "install the same version of plume everywhere" } as const;

/** What somebody else sent, in a message: quoted, and cut where it is long. */
export const quoted = (text: string): string => JSON.stringify(text.length > 60 ? `${text.slice(0, 60)}...` : text);

export class PlumeError extends Error {
  readonly code: ErrorCode;
  /** What the reader can do about it; printed after the message. */
  readonly remedy: string | undefined;
  override readonly name = "PlumeError";

  constructor(code: Exclude<ErrorCode, Mistake>, message: string, options?: { remedy?: string; cause?: unknown });
  /** @param options.remedy undefined only where an error of another process came without one. */
  constructor(code: ErrorCode, message: string, options: { remedy: string | undefined; cause?: unknown });
  constructor(code: ErrorCode, message: string, options: { remedy?: string | undefined; cause?: unknown } = {}) {
    super(redact(message), options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.remedy = options.remedy;
  }

  get exitCode(): number {
    return ERROR_CODES[this.code].exit;
  }
}

/** One or two lines for a person: `error: <message>` and the remedy. Never a stack trace for a PlumeError. */
export function describeError(error: unknown): string {
  if (error instanceof PlumeError) return error.remedy ? `${error.message}\n  ${error.remedy}` : error.message;
  return redact(error instanceof Error ? error.message : String(error));
}
