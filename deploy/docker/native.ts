// The variants of the image: what each has beside the wasm backend. Native backends are put into plume's cache by their
// setup script, and are in the image where the adapters look first (shared/backends/native-folder.ts).

import { cpSync, existsSync, realpathSync } from "node:fs";
import { join } from "node:path";
import { nativeFolder } from "../../shared/backends/native-folder.ts";
import { PlumeError } from "../../shared/errors.ts";

export const VARIANTS = ["wasm", "webgpu", "cuda"] as const;
export type Variant = (typeof VARIANTS)[number];

interface Native {
  /** Below the cache and below /app/native. */
  readonly folder: readonly string[];
  readonly setup: string;
}

const NATIVE: Readonly<Record<Variant, Native | null>> = {
  wasm: null,
  webgpu: { folder: ["webgpu", "current"], setup: "npm run setup:webgpu" },
  cuda: { folder: ["tensorflow", "gpu"], setup: "npm run setup:tensorflow -- --gpu" },
};

/** @throws PlumeError FAILED_PRECONDITION when its backend is not set up on this machine. */
export function writeNative(root: string, variant: Variant): void {
  const native = NATIVE[variant];
  if (native === null) return;
  const from = nativeFolder(...native.folder);
  if (!existsSync(from))
    throw new PlumeError("FAILED_PRECONDITION", `the variant ${variant} needs ${from}`, {
      remedy: `run ${native.setup} first`,
    });
  cpSync(realpathSync(from), join(root, "app/native", ...native.folder), { recursive: true });
}
