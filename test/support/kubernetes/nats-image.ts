// The root file system of NATS' image, as far as the component nats uses it: its server, where the image has it.

import { copyFileSync, existsSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { copyLibraries } from "../../../deploy/docker/system.ts";
import { cacheFolder } from "../../../shared/cache-folder.ts";
import { PlumeError } from "../../../shared/errors.ts";

/** @param root a folder for it. @returns the same. @throws PlumeError FAILED_PRECONDITION when the server is not built. */
export function natsRootfs(root: string): string {
  const server = cacheFolder("nats-server/current/nats-server");
  if (!existsSync(server))
    throw new PlumeError("FAILED_PRECONDITION", `the NATS server of the tests is not in ${server}`, {
      remedy: "npm run setup:nats",
    });
  for (const folder of ["usr/local/bin", "etc/nats", "data", "tmp"]) mkdirSync(join(root, folder), { recursive: true });
  copyFileSync(server, join(root, "usr/local/bin/nats-server"));
  copyLibraries(root, server);
  return root;
}
