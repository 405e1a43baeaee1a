// plume's custom resource, and those of others that its components and examples use: their own definitions, of the versions
// that `npm run setup:crds` pins.

import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { cacheFolder } from "../../../shared/cache-folder.ts";
import { PlumeError } from "../../../shared/errors.ts";
import { ROOT } from "../../../shared/root.ts";
import type { Kubectl } from "./kubectl.ts";

export const CRD_FILE = join(ROOT, "k8s/crd/diffusionjobs.plume.dev.yaml");
const PIPELINES_FILE = join(ROOT, "k8s/crd/diffusionpipelines.plume.dev.yaml");

/** And DiffusionPipelines. @param how by the server, or, as a person does, with the annotation that kubectl writes. */
export async function installDiffusionJobs(
  kubectl: Kubectl,
  how: readonly string[] = ["--server-side"],
): Promise<void> {
  const files = ["-f", CRD_FILE, "-f", PIPELINES_FILE];
  await established(kubectl, await kubectl(["apply", ...how, "-o", "name", ...files]));
}

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
  const names = await established(kubectl, await kubectl(["apply", "--server-side", "-o", "name", ...files]));
  return names.map((name) => name.replace(/^.*?\//, ""));
}

/** `kubectl wait` fails of a definition so new that nothing is said of it: status.conditions is null. */
async function established(kubectl: Kubectl, applied: string): Promise<readonly string[]> {
  const names = applied.trim().split("\n");
  const path = '-o=jsonpath={.status.conditions[?(@.type=="Established")].status}';
  for (const name of names) while ((await kubectl(["get", name, path]).catch(() => "")) !== "True") await sleep(100);
  return names;
}
