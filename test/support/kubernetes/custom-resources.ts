// The custom resources of others that plume's components and examples use: their own definitions, of the versions that
// `npm run setup:crds` pins.

import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { cacheFolder } from "../../../shared/cache-folder.ts";
import { PlumeError } from "../../../shared/errors.ts";
import type { Kubectl } from "./kubectl.ts";

/**
 * Makes them known to an API server.
 * @param groups all when absent: cert-manager.io, ...
 * @returns their names.
 * @throws PlumeError FAILED_PRECONDITION when they are not set up.
 */
export async function installCustomResources(kubectl: Kubectl, groups?: readonly string[]): Promise<string[]> {
  const folder = cacheFolder("kubernetes-crds/current");
  if (!existsSync(folder))
    throw new PlumeError("FAILED_PRECONDITION", `the custom resources of the tests are not in ${folder}`, {
      remedy: "npm run setup:crds",
    });
  const files = readdirSync(folder)
    .filter((file) => groups?.some((group) => file.startsWith(`${group}_`)) ?? true)
    .flatMap((file) => ["-f", join(folder, file)]);
  // By the server: some are larger than the annotation that kubectl would keep of them.
  const said = await kubectl(["apply", "--server-side", "-o", "name", ...files]);
  const names = said.trim().split("\n");
  await kubectl(["wait", "--for=condition=Established", "--timeout=60s", ...names]);
  return names.map((name) => name.replace(/^.*?\//, ""));
}
