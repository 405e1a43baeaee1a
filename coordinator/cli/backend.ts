// Which backend a command that computes takes.

import type { Backend, BackendName } from "../../shared/backends/backend.ts";
import { BACKEND_CHOICES } from "../../shared/backends/backend.ts";
import { chooseBackend, openBackend } from "../../shared/backends/index.ts";
import type { Job } from "../../shared/config/schema.ts";
import { oneOf } from "./options.ts";

export const BACKEND_OPTION = [
  "--backend <name>",
  `${BACKEND_CHOICES.join(" | ")} (default: the one it was trained on, if that is here)`,
] as const;

/** @param asked by `--backend`. The bits are those of training only on the backend that the model was trained on. */
export async function chooseBackendFor(asked: string | undefined, { spec }: Job): Promise<BackendName> {
  if (asked !== undefined) return chooseBackend(oneOf("--backend", asked, BACKEND_CHOICES));
  return chooseBackend(spec.workers.backend).catch(() => chooseBackend("auto"));
}

export const openBackendFor = async (asked: string | undefined, job: Job): Promise<Backend> =>
  openBackend(await chooseBackendFor(asked, job));
