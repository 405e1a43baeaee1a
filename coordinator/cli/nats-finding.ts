// What plume doctor says of NATS: whether the server answers, its version, and whether it keeps events.

import { PlumeError } from "../../shared/errors.ts";
import { connectNats } from "../../shared/nats/connection.ts";
import { connectionOptions, settingsFrom } from "../../shared/nats/settings.ts";
import type { Finding } from "./finding.ts";

type Environment = Readonly<Record<string, string | undefined>>;

const what = "NATS";

/** @param url of a server that must be there, from the command line. */
export async function natsFinding(url: string | undefined, env: Environment = process.env): Promise<Finding> {
  const servers = url ?? env.NATS_URL;
  if (!servers)
    return { what, state: "ok", detail: "no server is named; plume doctor --nats URL asks one", remedy: null };
  try {
    const settings = settingsFrom(servers, env);
    const connection = await connectNats(settings, connectionOptions(settings, "plume doctor", env));
    const { version, jetstream } = connection.info!;
    await connection.close();
    const detail = `${connection.getServer()} answers, version ${version}, ${jetstream ? "with" : "without"} JetStream`;
    const remedy = jetstream ? null : "events and statuses need JetStream: start it with -js";
    return { what, state: jetstream ? "ok" : "missing", detail, remedy };
  } catch (error) {
    if (!(error instanceof PlumeError)) throw error;
    return { what, state: url === undefined ? "missing" : "bad", detail: error.message, remedy: error.remedy ?? null };
  }
}
