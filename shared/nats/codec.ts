// A command, its reply and an event as bytes. Bytes come from anybody: what they hold is checked here, and what is wrong is a
// refusal.
//
// I1. Only a payload of this form is a command. A server can be made to deliver messages of a stream to any subject, with or
//     without their payload (a push consumer), by users who may not publish there: no such message is one.

import { z } from "zod";
import type { StampedEvent } from "../bus/event-log.ts";
import type { ControlReply } from "../control/verbs.ts";
import { PlumeError } from "../errors.ts";

/** Far more than any command has. */
export const LONGEST_COMMAND = 64 * 1024;

const commandSchema = z.strictObject({ id: z.string().default(""), args: z.unknown().default({}) });

export type Command = z.infer<typeof commandSchema>;

export const encode = (value: unknown): Uint8Array => new TextEncoder().encode(JSON.stringify(value));

/** No payload at all is a command without id and arguments: a `status`. @throws PlumeError INVALID_ARGUMENT */
export function decodeCommand(bytes: Uint8Array): Command {
  const refuse = (why: string): never => {
    throw new PlumeError("INVALID_ARGUMENT", `the command's payload ${why}`, {
      remedy: `send JSON like {"id": "an id of its own", "args": {}}`,
    });
  };
  if (bytes.length > LONGEST_COMMAND) return refuse(`has ${bytes.length} bytes; ${LONGEST_COMMAND} are the most`);
  if (bytes.length === 0) return { id: "", args: {} };
  const json = parseJson(bytes);
  if (json === undefined) return refuse("is no JSON");
  const parsed = commandSchema.safeParse(json);
  return parsed.success ? parsed.data : refuse("is no object of id and args alone");
}

const replySchema = z.union([
  z.object({ id: z.string(), verb: z.string(), ok: z.literal(true), result: z.record(z.string(), z.unknown()) }),
  z.object({
    id: z.string(),
    verb: z.string(),
    ok: z.literal(false),
    error: z.object({ code: z.string(), message: z.string(), remedy: z.string().nullable() }),
  }),
]);

/** @throws PlumeError INTERNAL when it is no reply of plume */
export function decodeReply(bytes: Uint8Array): ControlReply {
  const parsed = replySchema.safeParse(parseJson(bytes));
  if (!parsed.success) throw new PlumeError("INTERNAL", "what answers is no coordinator of plume");
  return parsed.data as ControlReply;
}

const eventSchema = z.object({ id: z.string(), atMs: z.number(), event: z.looseObject({ kind: z.string() }) });

/** @returns null when it is none; of another version, it may be of a kind that is not known here. */
export function decodeEvent(bytes: Uint8Array): StampedEvent | null {
  const parsed = eventSchema.safeParse(parseJson(bytes));
  return parsed.success ? (parsed.data as unknown as StampedEvent) : null;
}

/** @returns undefined when it is none. */
function parseJson(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch {
    return undefined;
  }
}
