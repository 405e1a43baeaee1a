// What the subcommands say and ask in the same words.

import { locateCheckpoint } from "../../../../shared/checkpoint/locate.ts";
import type { ListedCheckpoint } from "../../../../shared/checkpoint/read.ts";
import { PlumeError } from "../../../../shared/errors.ts";
import type { ObjectStore } from "../../../../shared/store/object-store.ts";
import { wholeNumber } from "../../options.ts";

export const STORE = "a run's folder, a checkpoint's, or a store: a folder or a URL";
export const STEP_OPTION = ["--step <n>", "only this checkpoint"] as const;

/** The store, and the one step that is meant: by --step, by the argument itself, or null. */
export async function storeAndStep(
  argument: string,
  option: string | undefined,
): Promise<{ readonly store: ObjectStore; readonly only: number | null }> {
  const { store, which } = await locateCheckpoint(argument);
  const only = option !== undefined ? wholeNumber("--step", option) : which === "latest" ? null : which;
  return { store, only };
}

export const noCheckpoint = ({ url }: ObjectStore, step: number | null, argument: string): PlumeError =>
  new PlumeError("NOT_FOUND", `${url} has no checkpoint${step === null ? "" : ` of step ${step}`}`, {
    remedy: `plume checkpoints ls ${argument} shows what it has`,
  });

/** @throws PlumeError NOT_FOUND when a step is asked for and not among them, or there is none. */
export function chosen<T extends Pick<ListedCheckpoint, "step">>(
  all: readonly T[],
  only: number | null,
  { store, argument }: { readonly store: ObjectStore; readonly argument: string },
): readonly T[] {
  const found = all.filter(({ step }) => only === null || step === only);
  if (found.length === 0) throw noCheckpoint(store, only, argument);
  return found;
}
