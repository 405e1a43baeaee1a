// NATS as an onlooker of a run: commands come in, events and the newest status go out.
//
// I1. A job whose NATS can never work as it is written is refused before anything is written; a server that does not answer is
//     not such a mistake, and neither is anything once the run goes on: then it is warned of, and tried again.
// I2. Nothing of a run waits for a server. Its end waits for the last events, some seconds at the most.

import type { NatsConnection, NodeConnectionOptions, Status, Subscription } from "@nats-io/transport-node";
import { createBell } from "../../shared/bell.ts";
import { sleep, within } from "../../shared/clock.ts";
import type { Job } from "../../shared/config/schema.ts";
import { PlumeError } from "../../shared/errors.ts";
import { connectNats } from "../../shared/nats/connection.ts";
import { connectionOptions, type NatsSettings, shownServers } from "../../shared/nats/settings.ts";
import type { Onlooker, RunView } from "../onlooker.ts";
import { listenForCommands } from "./commands.ts";
import { type EventPublisher, publishEvents } from "./events.ts";
import { decideFeatures } from "./features.ts";
import { rivalOf } from "./rival.ts";
import { publishStatus, type StatusPublisher } from "./status.ts";

const DIAL_AGAIN_MS = 2_000;
const LAST_WORDS_MS = 1_000;

export interface NatsOptions {
  /** This process takes the place of one that died: the run goes on, whatever has become of NATS. */
  readonly recovering: boolean;
  readonly epochMs: () => number;
}

export function createNats({ recovering, epochMs }: NatsOptions): Onlooker {
  const over = new AbortController();
  let settings: NatsSettings | null = null;
  let dialled: Dialled = { connection: null, trouble: null };
  let session: Session | null = null;

  return {
    async open({ metadata, spec }: Job) {
      if (spec.nats.servers.length === 0) return;
      settings = spec.nats;
      dialled = await dial(settings, metadata.name);
      const { trouble } = dialled;
      if (trouble && trouble.code !== "UNAVAILABLE" && !recovering) throw trouble;
    },

    async attach(view) {
      if (settings === null) {
        view.log.info("no nats.servers: commands and events go through the in-process bus and gRPC alone");
        return;
      }
      const servers = `the NATS server ${shownServers(settings)}`;
      const begin = (connection: NatsConnection) => {
        session = openSession(connection, servers, view, epochMs);
      };
      if (dialled.connection) return begin(dialled.connection);
      warn(view, `${dialled.trouble!.message}: the run goes on without, and is there once it answers`);
      void dialUntil(settings, view, over.signal).then((connection) => connection && begin(connection));
    },

    async close() {
      over.abort();
      await (session ? session.close() : dialled.connection?.close());
    },
  };
}

interface Dialled {
  readonly connection: NatsConnection | null;
  readonly trouble: PlumeError | null;
}

async function dial(settings: NatsSettings, job: string): Promise<Dialled> {
  try {
    const options: NodeConnectionOptions = connectionOptions(settings, `plume coordinator of ${job}`);
    return { connection: await connectNats(settings, options), trouble: null };
  } catch (error) {
    if (!(error instanceof PlumeError)) throw error;
    return { connection: null, trouble: error };
  }
}

/** Dials until a server answers. @returns null when the run is over before. */
async function dialUntil(
  settings: NatsSettings,
  { job, log }: RunView,
  signal: AbortSignal,
): Promise<NatsConnection | null> {
  let said = "";
  for (;;) {
    await sleep(DIAL_AGAIN_MS, signal).catch(() => {});
    if (signal.aborted) return null;
    const { connection, trouble } = await dial(settings, job.metadata.name);
    if (connection && !signal.aborted) return connection;
    await connection?.close();
    if (trouble && trouble.message !== said) log.warn(trouble.message);
    said = trouble?.message ?? said;
  }
}

/** Null while there is no server. */
const featuresOf = ({ info }: NatsConnection) => (info ? decideFeatures(info) : null);

interface Session {
  close(): Promise<void>;
}

/** From the first connection on; the client dials again by itself when it is lost. */
function openSession(connection: NatsConnection, servers: string, view: RunView, epochMs: () => number): Session {
  const { job, desk, bus, events, log } = view;
  const { name } = job.metadata;
  const link = createBell();
  let connected = true;
  let closing = false;
  let missing = "";
  let commands: Subscription | null = null;
  let deaf = "";

  const listen = () => {
    commands = listenForCommands({
      connection,
      job: name,
      desk,
      log,
      onRefused(reason) {
        if (reason !== deaf) warn(view, `${servers} does not let this user hear commands: ${reason}`);
        deaf = reason;
      },
    });
  };

  const onStatus = (status: Status) => {
    if (closing) return;
    if (status.type === "disconnect" && connected) {
      connected = false;
      warn(view, `${servers} is gone: commands over it do not come, events wait; training goes on`);
    } else if (status.type === "reconnect") {
      connected = true;
      log.info({ server: status.server }, "NATS is back");
      if (commands?.isClosed()) listen();
    } else if (status.type === "error") log.warn({ err: status.error }, "NATS");
    else return;
    link.ring();
  };
  const watch = async () => {
    for await (const status of connection.status()) onStatus(status);
  };

  log.info({ servers, has: featuresOf(connection)?.reason }, "NATS is there");
  void rivalOf(connection, name).then((rival) => {
    if (rival === null || closing) return;
    const where = rival === "" ? "" : `, whose page is ${rival}`;
    warn(
      view,
      `another run on ${servers} is named ${name}${where}: commands over it come to both, and their events are mixed; give one of them another metadata.name`,
    );
  });
  listen();
  void watch();
  const publisher: EventPublisher = publishEvents({
    connection,
    job: name,
    events,
    connected: () => connected,
    link,
    onMissing(error) {
      const reason = error?.message ?? "";
      if (reason !== "" && missing === "")
        warn(
          view,
          `${servers} keeps no events and no status of this run: ${reason}; commands work. ${error?.remedy ?? ""}`,
        );
      if (reason === "" && missing !== "") log.info("NATS keeps events again");
      missing = reason;
    },
    onGap({ events: count, atLeast, reason }) {
      warn(
        view,
        `${atLeast ? "at least " : ""}${count} events never came to ${servers}, they are in events.ndjson: ${reason}`,
      );
    },
  });
  const status: StatusPublisher = publishStatus({
    connection,
    job: name,
    bus,
    status: view.status,
    able: () => connected && featuresOf(connection)?.kind === "all",
    link,
    epochMs,
    onMissing: (reason) => warn(view, `${servers} does not take the status of this run: ${reason}`),
  });

  return {
    async close() {
      closing = true;
      await Promise.all([publisher.close(), status.close()]);
      await within(LAST_WORDS_MS, connection.drain());
      await connection.close();
    },
  };
}

function warn({ bus, log }: RunView, message: string): void {
  log.warn(message);
  bus.publish({ kind: "warning", message });
}
