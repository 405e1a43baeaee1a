// The table of processes.

import { ddpm } from "./ddpm.ts";
import { edm } from "./edm.ts";
import type { NoiseProcess, ProcessKind, ProcessOptions } from "./process.ts";
import { ve } from "./ve.ts";
import { subVp, vp } from "./vp.ts";

export const PROCESSES = { ddpm, vp, "sub-vp": subVp, ve, edm } satisfies Record<string, ProcessKind>;

export type ProcessName = keyof typeof PROCESSES;

/** The process that a job's spec.diffusion asks for. */
export const noiseProcess = (diffusion: ProcessOptions & { readonly process: ProcessName }): NoiseProcess =>
  PROCESSES[diffusion.process].create(diffusion);
