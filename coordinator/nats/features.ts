// What a server can do for a run. Pure: the answer with its reason.

import type { ServerInfo } from "@nats-io/transport-node";

export type Features =
  | { readonly kind: "all"; readonly reason: string }
  | { readonly kind: "commands"; readonly reason: string; readonly remedy: string };

/** Streams with replies that name the last message; older ones are not tried. */
const OLDEST = [2, 9] as const;

export function decideFeatures({
  version,
  jetstream,
  headers,
}: Pick<ServerInfo, "version" | "jetstream" | "headers">): Features {
  const [major = 0, minor = 0] = version.split(".").map(Number);
  const old = major < OLDEST[0] || (major === OLDEST[0] && minor < OLDEST[1]);
  if (old || !headers)
    return {
      kind: "commands",
      reason: `its version ${version} is older than ${OLDEST.join(".")}`,
      remedy: "install a newer nats-server",
    };
  if (!jetstream)
    return {
      kind: "commands",
      reason: "it runs without JetStream",
      remedy: "start it with -js, or with jetstream {} in its configuration",
    };
  return { kind: "all", reason: `version ${version} with JetStream` };
}
