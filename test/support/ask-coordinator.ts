// What a running coordinator says of its run, asked as `plume ctl status` asks it, without a process for each question.

import type { StatusReport } from "../../shared/control/verbs.ts";
import { fromServiceError } from "../../shared/rpc/call.ts";
import { controlClient } from "../../shared/rpc/control-client.ts";
import { planeOfEnvironment } from "../../shared/rpc/tls/plane.ts";

/** @returns null where nobody answers. */
export async function askCoordinator(address: string): Promise<StatusReport | null> {
  const plane = planeOfEnvironment();
  await using control = controlClient({ address, plane, timeoutMs: 2_000, explain: fromServiceError });
  return await control.ask("status", {}).catch(() => null);
}
