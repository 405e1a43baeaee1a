// A connection, and what its errors mean to a person.

import {
  AuthorizationError,
  connect,
  type NatsConnection,
  type NodeConnectionOptions,
  UserAuthenticationExpiredError,
} from "@nats-io/transport-node";
import { PlumeError } from "../errors.ts";
import { type NatsSettings, shownServers } from "./settings.ts";

/**
 * Each address is dialled once.
 * @throws PlumeError FAILED_PRECONDITION when a server is there and will not have us or we not it, UNAVAILABLE when none answers
 */
export async function connectNats(settings: NatsSettings, options: NodeConnectionOptions): Promise<NatsConnection> {
  try {
    return await connect(options);
  } catch (error) {
    throw await explained(error, settings, options);
  }
}

/** The alert of a server that closes at once may be lost in the reset that follows it: then it is asked again. */
const MOST_ASKED = 4;

/**
 * A server that wants a certificate says so after its handshake, and a client that would connect again has forgotten it by the
 * time it gives up: another one, that would not, is told.
 */
async function explained(error: unknown, settings: NatsSettings, options: NodeConnectionOptions): Promise<PlumeError> {
  let trouble = explain(error, settings);
  if (!options.tls || (error as Error).name !== "TimeoutError") return trouble;
  for (let asked = 0; asked < MOST_ASKED && trouble.code === "UNAVAILABLE"; asked++) {
    const refusal = await refusalOf(options);
    if (refusal === null) break;
    trouble = explain(refusal, settings);
  }
  return trouble;
}

/** What one dial comes back with; null where it is taken. */
async function refusalOf(options: NodeConnectionOptions): Promise<unknown> {
  try {
    const connection = await connect({ ...options, reconnect: false });
    await connection.close();
    return null;
  } catch (reason) {
    return reason;
  }
}

/** Node's words for a certificate that is not believed. */
const UNTRUSTED = /CERT|SELF_SIGNED|UNABLE_TO_(VERIFY|GET)/;

function explain(error: unknown, settings: NatsSettings): PlumeError {
  const servers = `the NATS server ${shownServers(settings)}`;
  const { code = "", message } = rootOf(error);
  const refuse = (what: string, remedy: string) =>
    new PlumeError("FAILED_PRECONDITION", what, { remedy, cause: error });
  if (error instanceof AuthorizationError || error instanceof UserAuthenticationExpiredError)
    return refuse(
      `${servers} refuses ${settings.credentials ? `the credentials of ${settings.credentials}` : "whoever has no credentials"}: ${message}`,
      "name a file with a user's credentials (nats.credentials, --creds), or set NATS_USER and NATS_PASSWORD",
    );
  if (code.startsWith("ERR_SSL") || code === "EPROTO")
    return refuse(
      `${servers} refuses the TLS handshake: ${message}`,
      "where it asks for a certificate, give nats.cert and nats.key",
    );
  if (UNTRUSTED.test(code))
    return refuse(
      `the certificate of ${servers} is not trusted: ${message}`,
      "give the authority that signed it as nats.ca (--ca), and call the server by a name in its certificate",
    );
  if (/not support 'tls'/.test(message))
    return refuse(`${servers} has no TLS`, "take away tls:// and nats.ca, or turn TLS on in the server");
  const reason = message === "timeout" ? "no answer" : message || code;
  return new PlumeError("UNAVAILABLE", `${servers} cannot be reached: ${reason}`, {
    remedy: "correct the address, or start the server",
    cause: error,
  });
}

interface Root {
  readonly code?: string;
  readonly message: string;
}

/** The innermost cause: nats.js wraps what the socket says. */
function rootOf(error: unknown): Root {
  if (!(error instanceof Error)) return { message: String(error ?? "the connection was closed") };
  return error.cause instanceof Error ? rootOf(error.cause) : (error as Root);
}
