// What is thrown when something is refused, and what must not be in it.

import { expect } from "vitest";
import { describeError, PlumeError } from "../../shared/errors.ts";

/** @param secrets that are nowhere in it, not even in what a logger would print. @throws what is no PlumeError */
export async function refusalOf(promise: Promise<unknown>, secrets: readonly RegExp[] = []): Promise<PlumeError> {
  const error = await promise.then(
    () => new Error("nothing was thrown"),
    (reason: unknown) => reason,
  );
  if (!(error instanceof PlumeError)) throw error;
  const printed = `${describeError(error)} ${error.stack} ${JSON.stringify(error)} ${String(error.cause)}`;
  for (const secret of secrets) expect(printed).not.toMatch(secret);
  return error;
}
