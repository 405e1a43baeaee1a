// The table of backends, best first, and the choice among them.

import { PlumeError } from "../errors.ts";
import { BACKEND_NAMES, type Backend, type BackendAdapter, type BackendName } from "./backend.ts";
import { wasm } from "./wasm.ts";

export const BACKENDS = { wasm } satisfies Record<BackendName, BackendAdapter>;

/** Opens the named backend, or with `auto` the first that can. @throws PlumeError UNAVAILABLE with every reason. */
export async function openBackend(choice: "auto" | BackendName): Promise<Backend> {
  const reasons: string[] = [];
  for (const name of choice === "auto" ? BACKEND_NAMES : [choice]) {
    const reason = await BACKENDS[name].unavailable();
    if (reason === null) return BACKENDS[name].open();
    reasons.push(`${name}: ${reason}`);
  }
  throw new PlumeError("UNAVAILABLE", `no compute backend can start here (${reasons.join("; ")})`, {
    remedy: "run plume doctor",
  });
}
