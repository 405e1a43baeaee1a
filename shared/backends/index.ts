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

/** What `auto` tries, in order: devices first, and last what is always there. */
const AUTO: readonly BackendName[] = ["tfjs-node-gpu", "webgpu", "tfjs-node", "wasm"];

/** PLUME_AUTO holds auto to some of them, such as "wasm": separated by commas. */
function autoOrder(): readonly BackendName[] {
  const held = process.env.PLUME_AUTO;
  if (!held) return AUTO;
  return held.split(",").map((name) => {
    const known = BACKEND_NAMES.find((each) => each === name.trim());
    if (!known)
      throw new PlumeError("INVALID_ARGUMENT", `PLUME_AUTO "${held}" names ${name}, which is no backend`, {
        remedy: `it may name ${BACKEND_NAMES.join(", ")}`,
      });
    return known;
  });
}

/**
 * The backend that a job will be computed with on this machine: the one it names, or with `auto` the first that can start.
 * @throws PlumeError FAILED_PRECONDITION with the remedy when it cannot.
 */
export async function chooseBackend(choice: "auto" | BackendName): Promise<BackendName> {
  const reasons: string[] = [];
  for (const name of choice === "auto" ? autoOrder() : [choice]) {
    const adapter: BackendAdapter = BACKENDS[name];
    const reason = await adapter.unavailable();
    if (reason !== null) reasons.push(choice === "auto" ? `${name}: ${reason}` : reason);
    else if (choice !== "auto" || !adapter.worthwhile || (await adapter.worthwhile())) return name;
  }
  throw new PlumeError("FAILED_PRECONDITION", `workers.backend ${choice} cannot start here: ${reasons.join("; ")}`, {
    remedy: "do that, or leave workers.backend at auto; plume doctor shows what is here",
  });
}

/** Opens the backend that `chooseBackend` names. */
export async function openBackend(choice: "auto" | BackendName, threads = 1): Promise<Backend> {
  return BACKENDS[await chooseBackend(choice)].open(threads);
}
