// How a NATS server is reached: the job's spec.nats, or what the command line was given. Everything that can be wrong without
// asking a server is found here.

import { readFileSync } from "node:fs";
import { isIP } from "node:net";
import { checkServerIdentity } from "node:tls";
import {
  type Authenticator,
  credsAuthenticator,
  type NodeConnectionOptions,
  nkeyAuthenticator,
  usernamePasswordAuthenticator,
} from "@nats-io/transport-node";
import { PlumeError } from "../errors.ts";

export interface NatsSettings {
  /** URLs; at least one. */
  readonly servers: readonly string[];
  /** File of a user's JWT and seed (.creds), or of an nkey's seed alone. */
  readonly credentials?: string | undefined;
  /** PEM files. */
  readonly ca?: string | undefined;
  readonly cert?: string | undefined;
  readonly key?: string | undefined;
}

type Environment = Readonly<Record<string, string | undefined>>;

/** @param servers with commas between them. The files are those that the `nats` command line takes from its environment. */
export const settingsFrom = (servers: string, env: Environment): NatsSettings => ({
  servers: servers.split(",").map((each) => each.trim()),
  credentials: env.NATS_CREDS,
  ca: env.NATS_CA,
  cert: env.NATS_CERT,
  key: env.NATS_KEY,
});

/** No answer for so long is no server. */
const DIAL_MS = 3_000;
/** A server that says nothing is taken for gone after two pings without an answer. */
const PING_MS = 4_000;

/** @throws PlumeError INVALID_ARGUMENT, NOT_FOUND */
export function connectionOptions(
  settings: NatsSettings,
  name: string,
  env: Environment = process.env,
): NodeConnectionOptions {
  const servers = settings.servers.map(checkedServer);
  const authenticator = authenticatorOf(settings.credentials, env);
  const tls = tlsOf(settings, servers);
  return {
    servers: servers.map(({ host }) => host),
    name,
    timeout: DIAL_MS,
    maxReconnectAttempts: -1,
    reconnectTimeWait: 500,
    reconnectJitter: 200,
    reconnectJitterTLS: 500,
    pingInterval: PING_MS,
    maxPingOut: 2,
    // Credentials that were renewed on the server a little later than here must not end the connection for good.
    ignoreAuthErrorAbort: true,
    noAsyncTraces: true,
    ...(authenticator ? { authenticator } : {}),
    ...(tls ? { tls } : {}),
  };
}

interface Server {
  /** host:port */
  readonly host: string;
  /** The host alone, without the brackets of IPv6. */
  readonly name: string;
  readonly secure: boolean;
}

/** @throws PlumeError INVALID_ARGUMENT */
function checkedServer(text: string): Server {
  const refuse = (why: string): never => {
    throw new PlumeError("INVALID_ARGUMENT", `the NATS server ${JSON.stringify(withoutSecrets(text))} ${why}`, {
      remedy: "write it as nats://HOST:4222, or tls://HOST:4222 where only TLS will do",
    });
  };
  const whole = /^[a-z][a-z0-9+.-]*:\/\//i.test(text) ? text : `nats://${text}`;
  if (!URL.canParse(whole)) return refuse("is no address");
  const { protocol, hostname, port, username, password, pathname, search } = new URL(whole);
  if (protocol !== "nats:" && protocol !== "tls:") return refuse(`has the scheme ${protocol.slice(0, -1)}`);
  if (username || password)
    return refuse(
      "holds a user name or a password: they belong in a credentials file, or in NATS_USER and NATS_PASSWORD",
    );
  if (!/^(\[[0-9a-f:.]+\]|[a-z0-9._-]+)$/i.test(hostname)) return refuse("has no host that could exist");
  if ((pathname !== "" && pathname !== "/") || search) return refuse("has more behind its port");
  return { host: `${hostname}:${port || "4222"}`, name: hostname.replace(/^\[|\]$/g, ""), secure: protocol === "tls:" };
}

const withoutSecrets = (text: string): string => text.replace(/\/\/[^/@]*@/, "//...@").replace(/^[^/@]*@/, "...@");

/** What servers are called in messages. */
export const shownServers = ({ servers }: NatsSettings): string => servers.map(withoutSecrets).join(", ");

/** @throws PlumeError */
function authenticatorOf(file: string | undefined, env: Environment): Authenticator | null {
  if (file === undefined)
    return env.NATS_USER ? usernamePasswordAuthenticator(env.NATS_USER, env.NATS_PASSWORD ?? "") : null;
  let good = signer(read("credentials", file));
  if (good === null)
    throw new PlumeError("INVALID_ARGUMENT", `${file} holds no NATS credentials`, {
      remedy: "nats.credentials is a .creds file (nsc generate creds), or a file with a user's nkey seed (SU...)",
    });
  return (nonce) => {
    // Credentials are renewed while a run goes on; a file that is being written must not end the connection.
    try {
      good = signer(readFileSync(file)) ?? good;
    } catch {}
    return good!(nonce);
  };
}

/** @returns null when there is no seed in it that signs. What is wrong with it is not said: that might show the seed. */
function signer(bytes: Uint8Array): Authenticator | null {
  const text = new TextDecoder().decode(bytes);
  const authenticator = text.includes("BEGIN NATS USER JWT")
    ? credsAuthenticator(bytes)
    : nkeyAuthenticator(new TextEncoder().encode(text.trim()));
  try {
    authenticator("a nonce");
    return authenticator;
  } catch {
    return null;
  }
}

/** @throws PlumeError */
function tlsOf({ ca, cert, key }: NatsSettings, servers: readonly Server[]): NodeConnectionOptions["tls"] | null {
  if ((cert === undefined) !== (key === undefined))
    throw new PlumeError("INVALID_ARGUMENT", `nats.${cert ? "cert" : "key"} is given without the other`, {
      remedy: "a client's certificate needs both: nats.cert and nats.key",
    });
  const files = { ca, cert, key };
  const pems = Object.entries(files).flatMap(([name, file]) =>
    file === undefined ? [] : [[name, readPem(name, file)] as const],
  );
  if (pems.length === 0 && !servers.some(({ secure }) => secure)) return null;
  // nats.js hands all of it to tls.connect.
  return { ...Object.fromEntries(pems), checkServerIdentity: identityOf(servers) } as NodeConnectionOptions["tls"];
}

/** nats.js gives Node no name where the address is a number, and Node then takes it for localhost. */
const identityOf =
  (servers: readonly Server[]): typeof checkServerIdentity =>
  (host, certificate) => {
    const wrong = checkServerIdentity(host, certificate);
    if (!wrong || host !== "localhost") return wrong;
    const numbers = servers.map(({ name }) => name).filter((name) => isIP(name) !== 0);
    return numbers.some((each) => !checkServerIdentity(each, certificate)) ? undefined : wrong;
  };

function readPem(name: string, file: string): string {
  const text = new TextDecoder().decode(read(name, file));
  if (text.includes("-----BEGIN ")) return text;
  throw new PlumeError("INVALID_ARGUMENT", `nats.${name}: ${file} is no PEM file`, {
    remedy: "it begins with -----BEGIN CERTIFICATE----- or a key's like",
  });
}

/** @throws PlumeError NOT_FOUND */
function read(name: string, file: string): Uint8Array {
  try {
    return readFileSync(file);
  } catch (error) {
    throw new PlumeError("NOT_FOUND", `nats.${name}: ${file} cannot be read (${(error as { code?: string }).code})`, {
      remedy: "name a file that this process may read",
    });
  }
}
