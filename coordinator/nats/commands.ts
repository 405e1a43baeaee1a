// Commands over NATS: from a message to the desk, and the desk's answer back. A wire and nothing more.
//
// I1. A message gets one answer at the most, and one that asks for none gets none.
// I2. Whatever comes, the run goes on: what is no command gets a refusal, and what comes too fast is not begun.

import type { Msg, NatsConnection, Subscription } from "@nats-io/transport-node";
import { refusal } from "../../shared/control/reply.ts";
import type { ControlReply } from "../../shared/control/verbs.ts";
import { PlumeError } from "../../shared/errors.ts";
import type { Logger } from "../../shared/log.ts";
import { decodeCommand, encode } from "../../shared/nats/codec.ts";
import { commandSubject } from "../../shared/nats/subjects.ts";
import type { Desk } from "../control/desk.ts";

/** Commands that are carried out at a time; a `checkpoint` takes seconds. */
const AT_A_TIME = 64;

export interface CommandsOptions {
  readonly connection: NatsConnection;
  readonly job: string;
  readonly desk: Desk;
  readonly log: Logger;
  /** The server does not let this user hear commands. */
  readonly onRefused: (reason: string) => void;
}

export function listenForCommands({ connection, job, desk, log, onRefused }: CommandsOptions): Subscription {
  let underWay = 0;
  const verbAt = commandSubject(job, "").length;

  const carryOut = async (message: Msg, verb: string): Promise<ControlReply> => {
    try {
      if (underWay > AT_A_TIME)
        throw new PlumeError("RESOURCE_EXHAUSTED", `${AT_A_TIME} commands are being carried out`, {
          remedy: "send it again in a moment, with the same id",
        });
      return await desk.ask({ ...decodeCommand(message.data), verb, by: "NATS" });
    } catch (error) {
      return refusal("", verb, error);
    }
  };

  const answer = async (message: Msg) => {
    const verb = message.subject.slice(verbAt);
    underWay++;
    const reply = await carryOut(message, verb);
    underWay--;
    if (!message.reply) return;
    try {
      message.respond(encodeWithin(connection.info?.max_payload ?? Number.POSITIVE_INFINITY, reply));
    } catch (error) {
      log.warn({ err: error, verb }, "a command's answer could not be sent");
    }
  };

  return connection.subscribe(commandSubject(job, "*"), {
    callback: (error, message) => (error ? onRefused(error.message) : void answer(message)),
  });
}

/** A server does not carry everything. */
function encodeWithin(most: number, reply: ControlReply): Uint8Array {
  const bytes = encode(reply);
  if (bytes.length <= most) return bytes;
  const error = new PlumeError("RESOURCE_EXHAUSTED", `the answer has ${bytes.length} bytes, the server takes ${most}`, {
    remedy: "raise max_payload in the NATS server's configuration",
  });
  return encode(refusal(reply.id, reply.verb, error));
}
