// Makes the worker set what decide.ts says: after every command, and every two seconds, because anybody may scale it. What
// cannot be done now is decided anew at the next look; training waits for none of it.

import type { Bus } from "../../shared/bus/bus.ts";
import type { Ending } from "../../shared/bus/events.ts";
import { describeError, PlumeError } from "../../shared/errors.ts";
import type { Logger } from "../../shared/log.ts";
import { decideWorkerSet, type WorkerSetDecision } from "./decide.ts";
import type { ClusterObjects, Notes, WorkerSet } from "./objects.ts";

/** The run, as its supervisor sees it. */
export interface SupervisedRun {
  readonly incarnation: number;
  readonly max: number;
  /** How it ended, once it has; null while it goes on, and while its process ends for another to go on. */
  readonly over: () => { readonly phase: Ending; readonly reason: string } | null;
  /** Why it rests between two steps; null when it does not, yet or at all. */
  readonly resting: () => string | null;
  /** Workers that it asks for. */
  readonly desired: () => number;
  /** Why it is paused; null when it is not. */
  readonly paused: () => string | null;
  /** Somebody asked for so many elsewhere. */
  readonly adopt: (workers: number, reason: string) => void;
  readonly bus: Bus;
  readonly log: Logger;
}

/** As `plume train` is one on one machine. */
export interface ClusterSupervisor extends AsyncDisposable {
  /** Notes the incarnation, then looks after the set until it is disposed of. Once. */
  watch(run: SupervisedRun): Promise<void>;
  /** How many workers are needed has changed: look at once. */
  nudge(): void;
  scale(): void;
  productive(): void;
  ending(): void;
  lost(): void;
}

const LOOK_MS = 2_000;

export function createClusterSupervisor(objects: ClusterObjects, found: Notes): ClusterSupervisor {
  let run: SupervisedRun | null = null;
  let notes = found;
  let timer: NodeJS.Timeout | undefined;
  let looking: Promise<void> = Promise.resolve();
  /** The trouble that was told, and that of the last look. */
  let trouble = "";
  let lastSeen = "";
  let closed = false;

  const note = async (change: Partial<Notes>) => {
    const differs = (key: string) => change[key as keyof Notes] !== notes[key as keyof Notes];
    if (!Object.keys(change).some(differs)) return;
    await objects.note(change);
    notes = { ...notes, ...change };
  };

  const carryOut = async (decision: WorkerSetDecision, set: WorkerSet, { adopt, log }: SupervisedRun) => {
    const { kind, reason } = decision;
    if (kind === "none") return;
    log.info({ decision: kind, workers: decision.desired, seen: set.workers, owner: set.owner, reason }, "worker set");
    const { desired } = decision;
    switch (kind) {
      case "hold":
        await note({ held: reason, workers: desired });
        adopt(desired, reason);
        return objects.scale(set, 0);
      case "scale":
        try {
          await objects.scale(set, desired);
        } catch (error) {
          if (!(error instanceof PlumeError) || error.code !== "FAILED_PRECONDITION") throw error;
          adopt(set.workers, `${desired} workers are refused: ${error.message}`);
          return note({ workers: set.workers });
        }
        adopt(desired, reason);
        return note({ workers: desired });
      case "release":
        if (set.workers !== desired) await objects.scale(set, desired);
        adopt(desired, reason);
        return note({ held: null, workers: desired });
      case "adopt":
        adopt(desired, reason);
        return note({ workers: desired });
      default:
        kind satisfies never;
    }
  };

  const look = async (current: SupervisedRun) => {
    const { desired, paused, max } = current;
    const over = current.over();
    const rest = current.resting();
    // A run that was stopped rests after a restart too: it was somebody's wish.
    await note({ paused: over?.phase === "Stopped" ? `stopped: ${over.reason}` : paused() });
    const set = await objects.readSet();
    const resting = over ? `the run is over (${over.phase})` : rest === null ? null : `the run is paused: ${rest}`;
    const { workers: noted, held } = notes;
    const state = { resting, desired: desired(), noted, held, seen: set.workers, owned: set.owner !== null, max };
    await carryOut(decideWorkerSet(state), set, current);
  };

  const attempt = async (current: SupervisedRun) => {
    try {
      await look(current);
      if (trouble) current.log.info("the cluster's API server answers again");
      trouble = lastSeen = "";
    } catch (error) {
      const reason = describeError(error);
      // One outage has many words: a connection that breaks, one that is refused. And a server that comes back refuses for a
      // moment what it allows: another trouble is told once it is seen twice.
      const kind = error instanceof PlumeError ? error.code : reason;
      if (!trouble || (kind !== trouble && kind === lastSeen)) {
        current.log.warn({ reason }, "the worker set cannot be looked after; training goes on");
        trouble = kind;
      }
      lastSeen = kind;
    }
  };

  const lookLater = (ms: number) => {
    clearTimeout(timer);
    if (closed || !run) return;
    const current = run;
    timer = setTimeout(() => {
      looking = looking.then(() => attempt(current)).then(() => lookLater(LOOK_MS));
    }, ms);
  };

  return {
    async watch(supervised) {
      run = supervised;
      await note({ incarnation: supervised.incarnation }).catch((error) =>
        supervised.log.warn({ reason: describeError(error) }, "the incarnation could not be noted"),
      );
      supervised.bus.subscribe(({ kind }) => void ((kind === "phase" || kind === "command") && lookLater(0)));
      lookLater(0);
    },
    nudge: () => lookLater(0),
    scale: () => lookLater(0),
    // The kubelet starts again what dies, and what does not answer its probe.
    productive() {},
    ending() {},
    lost() {},
    async [Symbol.asyncDispose]() {
      closed = true;
      clearTimeout(timer);
      await looking;
    },
  };
}
