// Wakes whoever waits for something to have changed, for as long as they wait: a bell that is waited for and never rings
// gathers nothing.
//
// I1. Look at `rung`, then at what may change, then wait with what you saw: no ring is lost.

export interface Bell {
  /** How often it has rung. */
  readonly rung: number;
  ring(): void;
  /** @returns the function that ends it. */
  on(listener: () => void): () => void;
}

export function createBell(): Bell {
  const listeners = new Set<() => void>();
  let rung = 0;
  return {
    get rung() {
      return rung;
    },
    ring() {
      rung++;
      for (const listener of [...listeners]) listener();
    },
    on(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
  };
}

/** Resolves once the bell has rung more often than `since`, or after `ms`. */
export function heard(bell: Bell, since: number, ms?: number): Promise<void> {
  if (bell.rung !== since) return Promise.resolve();
  return new Promise((resolve) => {
    const done = () => {
      stop();
      clearTimeout(timer);
      resolve();
    };
    const stop = bell.on(done);
    const timer = ms === undefined ? undefined : setTimeout(done, ms);
  });
}
