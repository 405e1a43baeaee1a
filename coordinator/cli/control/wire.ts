// What `plume ctl` needs of a running job, whatever way leads to it.

import type { StampedEvent } from "../../../shared/bus/event-log.ts";
import type { Arguments, Results, Verb } from "../../../shared/control/verbs.ts";

export interface ControlWire extends AsyncDisposable {
  /** @throws PlumeError the coordinator's own, UNAVAILABLE when it is not there, DEADLINE_EXCEEDED when it does not answer */
  ask<V extends Verb>(verb: V, args: Arguments<V>): Promise<Results[V]>;
  /** The kept events of the run, oldest first; with `follow` those that come, until the run ends or the signal is aborted. */
  events(follow: boolean, signal: AbortSignal): AsyncIterable<StampedEvent>;
}
