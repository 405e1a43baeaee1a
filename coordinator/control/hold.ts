// The points at which a run can be held: paused between two steps, and asked for something that needs parameters at rest.

export interface Hold {
  /** Why the run is paused; null when it is not. */
  readonly paused: string | null;
  /** @returns false when it was paused already. */
  pause(reason: string): boolean;
  /** @returns false when it was not paused. */
  resume(): boolean;
  /** Resolves once the run is not paused, or `stop` is aborted. */
  passed(stop: AbortSignal): Promise<void>;
  /** One at a time: a commit that changes the parameters, or a copy that must not see them change. */
  exclusive<T>(act: () => Promise<T>): Promise<T>;
}

export function createHold(paused: string | null): Hold {
  let reason = paused;
  let wake = () => {};
  let last: Promise<unknown> = Promise.resolve();
  return {
    get paused() {
      return reason;
    },
    pause(why) {
      if (reason !== null) return false;
      reason = why;
      return true;
    },
    resume() {
      if (reason === null) return false;
      reason = null;
      wake();
      return true;
    },
    async passed(stop) {
      while (reason !== null && !stop.aborted) {
        await new Promise<void>((resolve) => {
          wake = resolve;
          stop.addEventListener("abort", () => resolve(), { once: true });
        });
      }
    },
    exclusive(act) {
      const mine = last.then(act);
      last = mine.catch(() => {});
      return mine;
    },
  };
}
