// How many workers should the cluster's worker set have now? Pure: from what was asked here, what was noted, and what the set
// says, which anybody may have changed, to one act with its reason.
//
// I1. An act that was interrupted anywhere is decided again, to the same end: a number is noted after it was set, a hold before.

export interface WorkerSetState {
  /** Why no worker is needed: the run is over, or rests in a pause; null while it trains. */
  readonly resting: string | null;
  /** Workers that the run asks for. */
  readonly desired: number;
  /** What was carried out last; null before the first look. */
  readonly noted: number | null;
  /** Why the set was brought to 0 from here; null when it was not. */
  readonly held: string | null;
  /** What the set, or its owner, says. */
  readonly seen: number;
  /** An operator owns the set: it brings it to 0 and back. */
  readonly owned: boolean;
  /** More are not admitted. */
  readonly max: number;
}

export type WorkerSetDecision =
  | { readonly kind: "none"; readonly reason: string }
  /** Note that it is held, and what to come back to, then bring the set to 0. */
  | { readonly kind: "hold"; readonly desired: number; readonly reason: string }
  /** Bring the set there, then note that it is not held. */
  | { readonly kind: "release" | "scale"; readonly desired: number; readonly reason: string }
  /** Somebody else has set it: that is what the run asks for from now on. */
  | { readonly kind: "adopt"; readonly desired: number; readonly reason: string };

export function decideWorkerSet(state: WorkerSetState): WorkerSetDecision {
  const { resting, desired, noted, held, seen, owned, max } = state;
  // First, also before a hold: who sees another number than the noted one must be sure that somebody else has set it.
  if (held === null && noted !== null && desired !== noted)
    return { kind: "scale", desired, reason: `asked to go from ${noted} to ${desired} workers` };
  if (resting !== null && !owned) {
    if (held !== null && seen === 0) return { kind: "none", reason: held };
    const again = held === null ? "" : `; it was scaled to ${seen} meanwhile, which counts once the run goes on`;
    return { kind: "hold", desired: comeBack(state), reason: `${resting}${again}` };
  }
  if (held !== null)
    return { kind: "release", desired: comeBack(state), reason: `it was held (${held}), and the run goes on` };
  if (seen > max && !owned)
    return { kind: "scale", desired: max, reason: `it was scaled to ${seen}, and workers.max is ${max}` };
  if (seen === noted) return { kind: "none", reason: `${seen} workers, as asked for` };
  return {
    kind: "adopt",
    desired: seen,
    reason: noted === null ? `it has ${seen}` : `it was scaled from ${noted} to ${seen}`,
  };
}

/** What somebody scaled it to while it was held, else what it had before. */
const comeBack = ({ seen, noted, desired, max }: WorkerSetState): number =>
  Math.min(seen === 0 ? (noted ?? desired) : seen, max);
