// The table of backends, and the choice among them.

import { PlumeError } from "../errors.ts";
import { BACKEND_NAMES, type Backend, type BackendAdapter, type BackendName } from "./backend.ts";
import { tfjsNode, tfjsNodeGpu } from "./tfjs-node/adapter.ts";
import { wasm } from "./wasm.ts";
import { webgpu } from "./webgpu/adapter.ts";

export const BACKENDS = { wasm, "tfjs-node": tfjsNode, "tfjs-node-gpu": tfjsNodeGpu, webgpu } satisfies Record<
  BackendName,
  BackendAdapter
>;

export const BACKEND_CHOICES = ["auto", ...BACKEND_NAMES] as const;

/** What `auto` tries, in order. A backend with other bits is asked for by name: what else is installed must not change a run. */
const AUTO: readonly BackendName[] = ["wasm"];

/** Before anything starts: can this machine open what a job asks for? @throws PlumeError FAILED_PRECONDITION with the remedy. */
export async function checkBackend(choice: "auto" | BackendName): Promise<void> {
  const reason = choice === "auto" ? null : await BACKENDS[choice].unavailable();
  if (reason !== null)
    throw new PlumeError("FAILED_PRECONDITION", `workers.backend ${choice} cannot start here: ${reason}`, {
      remedy: "do that, or leave workers.backend at auto; plume doctor shows what is here",
    });
}

/** Opens the named backend, or with `auto` the first that can. @throws PlumeError UNAVAILABLE with every reason. */
export async function openBackend(choice: "auto" | BackendName, threads = 1): Promise<Backend> {
  const reasons: string[] = [];
  for (const name of choice === "auto" ? AUTO : [choice]) {
    const reason = await BACKENDS[name].unavailable();
    if (reason === null) return BACKENDS[name].open(threads);
    reasons.push(`${name}: ${reason}`);
  }
  throw new PlumeError("UNAVAILABLE", `no compute backend can start here (${reasons.join("; ")})`, {
    remedy: "run plume doctor",
  });
}
