// How many processes draw a command's images.

import { availableParallelism } from "node:os";
import type { BackendName } from "../../../shared/backends/backend.ts";
import { wholeNumber } from "../options.ts";

export const WORKERS_OPTION = [
  "--workers <n>",
  "processes that draw (default: one a core, one on a GPU); their number changes no pixel",
] as const;

/** @throws PlumeError INVALID_ARGUMENT. */
export const parseDrawers = (text: string | undefined): number | undefined =>
  text === undefined ? undefined : wholeNumber("--workers", text, 1);

/** One process fills it. */
const ON_GPU: ReadonlySet<BackendName> = new Set(["tfjs-node-gpu", "webgpu"]);

/** No more than there are batches. */
export function drawersFor(asked: number | undefined, backend: BackendName, batches: number): number {
  return Math.min(asked ?? (ON_GPU.has(backend) ? 1 : availableParallelism()), batches);
}
