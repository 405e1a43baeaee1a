// The workqueue: keys that want attention, each in one pair of hands at a time.
//
// I1. A key is worked on by one worker at a time; one that is added meanwhile is worked on once more afterwards.
// I2. Of delays of one key the shortest counts; an addition without delay comes before them all.
// I3. A key that fails comes back after a delay that doubles up to a bound; one that succeeds starts over.

export interface QueueClock {
  now(): number;
  /** @returns what forgets it. */
  after(ms: number, act: () => void): () => void;
}

export interface QueueOptions {
  readonly clock: QueueClock;
  readonly workers: number;
  /** @returns milliseconds until the key wants attention again, null for not before something happens. */
  readonly work: (key: string) => Promise<number | null>;
  readonly onError: (key: string, error: unknown, againMs: number) => void;
  readonly firstBackOffMs?: number;
  readonly lastBackOffMs?: number;
}

export interface Queue {
  add(key: string): void;
  addAfter(key: string, ms: number): void;
  /** Keys that wait for a worker, or are in the hands of one. */
  readonly depth: number;
  /** Takes nothing new; resolves when nothing is in anybody's hands. */
  close(): Promise<void>;
}

interface Delayed {
  readonly atMs: number;
  readonly cancel: () => void;
}

export function createQueue(options: QueueOptions): Queue {
  const { clock, workers, work, onError, firstBackOffMs = 200, lastBackOffMs = 60_000 } = options;
  const ready = new Set<string>();
  const working = new Set<string>();
  const delayed = new Map<string, Delayed>();
  const failures = new Map<string, number>();
  let closed = false;
  let onIdle = () => {};

  const add = (key: string) => {
    if (closed) return;
    delayed.get(key)?.cancel();
    delayed.delete(key);
    ready.add(key);
    pump();
  };

  const addAfter = (key: string, ms: number) => {
    if (closed) return;
    const atMs = clock.now() + ms;
    const planned = delayed.get(key);
    if (planned && planned.atMs <= atMs) return;
    planned?.cancel();
    delayed.set(key, { atMs, cancel: clock.after(ms, () => add(key)) });
  };

  const pump = () => {
    for (const key of ready) {
      if (working.size >= workers) return;
      if (working.has(key)) continue;
      ready.delete(key);
      working.add(key);
      void attend(key);
    }
  };

  const attend = async (key: string) => {
    try {
      const again = await work(key);
      failures.delete(key);
      if (again !== null) addAfter(key, again);
    } catch (error) {
      const count = failures.get(key) ?? 0;
      failures.set(key, count + 1);
      const backOff = Math.min(firstBackOffMs * 2 ** count, lastBackOffMs);
      onError(key, error, backOff);
      addAfter(key, backOff);
    } finally {
      working.delete(key);
      if (working.size === 0) onIdle();
      pump();
    }
  };

  return {
    add,
    addAfter,
    get depth() {
      return ready.size + working.size;
    },
    async close() {
      closed = true;
      ready.clear();
      for (const { cancel } of delayed.values()) cancel();
      delayed.clear();
      if (working.size > 0)
        await new Promise<void>((resolve) => {
          onIdle = resolve;
        });
    },
  };
}

export const systemQueueClock: QueueClock = {
  now: () => performance.now(),
  after(ms, act) {
    const timer = setTimeout(act, ms);
    return () => clearTimeout(timer);
  },
};
