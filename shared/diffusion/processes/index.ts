// The table of processes: those of levels x_t = alpha x_0 + sigma eps, and chains, whose steps are of their own kind.

import { invariant } from "../../invariant.ts";
import type { Chain, ChainKind, ChainOptions } from "../nonequilibrium/chain.ts";
import { CHAINS, chainTimes } from "../nonequilibrium/index.ts";
import { ddpm } from "./ddpm.ts";
import { edm } from "./edm.ts";
import { imagen } from "./imagen.ts";
import type { NoiseProcess, ProcessKind, ProcessOptions, Times } from "./process.ts";
import { ve } from "./ve.ts";
import { subVp, vp } from "./vp.ts";

export const LEVELS = { ddpm, vp, "sub-vp": subVp, ve, edm, imagen } satisfies Record<string, ProcessKind>;

export const PROCESSES = { ...LEVELS, ...CHAINS } satisfies Record<string, { readonly about: string }>;

export type ProcessName = keyof typeof PROCESSES;

export const CHAIN_NAMES = Object.keys(CHAINS) as readonly (keyof typeof CHAINS)[];

/** The entry of a chain; undefined of a process of levels. */
export const chainKind = (name: ProcessName): ChainKind | undefined =>
  (CHAINS as Partial<Record<ProcessName, ChainKind>>)[name];

type Named<Options> = Options & { readonly process: ProcessName };

/** The process of levels that a job's spec.diffusion asks for. */
export function noiseProcess(diffusion: Named<ProcessOptions>): NoiseProcess {
  const { process } = diffusion;
  const kind = (LEVELS as Partial<Record<ProcessName, ProcessKind>>)[process];
  invariant(kind, `${process} is a process of levels`);
  return kind.create(diffusion);
}

/** The chain that it asks for. */
export async function loadChain(diffusion: Named<ChainOptions>): Promise<Chain> {
  const kind = chainKind(diffusion.process);
  invariant(kind, `${diffusion.process} is a chain`);
  return (await kind.load())(diffusion);
}

/** What it asks for, of either sort. */
export const timesOf = (diffusion: Named<ProcessOptions & ChainOptions>): Times =>
  chainKind(diffusion.process) ? chainTimes(diffusion) : noiseProcess(diffusion);
