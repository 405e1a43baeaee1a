// An error as it travels in a reply, and back: the same over every wire.

import { ERROR_CODES, PlumeError } from "../errors.ts";
import type { ControlReply } from "./verbs.ts";

type Refusal = ControlReply & { readonly ok: false };

export function refusal(id: string, verb: string, error: unknown): Refusal {
  const known = error instanceof PlumeError ? error : new PlumeError("INTERNAL", String(error));
  const { code, message, remedy = null } = known;
  return { id, verb, ok: false, error: { code, message, remedy } };
}

/** The error of a refusal, as it was where it was thrown. */
export function errorOf({ error }: Refusal): PlumeError {
  const code = Object.hasOwn(ERROR_CODES, error.code) ? error.code : "INTERNAL";
  return new PlumeError(code, error.message, { remedy: error.remedy ?? undefined });
}
