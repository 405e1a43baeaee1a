// Two runs of one name on one server hear the same commands and tell one stream of events: whoever comes second says so.

import type { NatsConnection } from "@nats-io/transport-node";
import { decodeReply } from "../../shared/nats/codec.ts";
import { commandSubject } from "../../shared/nats/subjects.ts";

const WAIT_MS = 2_000;

/**
 * Asks for the job's status on a connection that does not answer itself yet: what is asked before a subscription begins does
 * not come to it. @returns the page of the other run, empty when it has none; null when nobody answers, or none may ask.
 */
export async function rivalOf(connection: NatsConnection, job: string): Promise<string | null> {
  try {
    const { data } = await connection.request(commandSubject(job, "status"), "", { timeout: WAIT_MS });
    const reply = decodeReply(data);
    return reply.ok ? String((reply.result as { page?: string }).page ?? "") : "";
  } catch {
    return null;
  }
}
