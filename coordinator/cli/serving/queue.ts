// Whose turn it is: one work at a time, a bounded number of those who wait.

import { PlumeError } from "../../../shared/errors.ts";

export interface Queue {
  /**
   * @param signal of whoever asked: leaves the queue, or ends the work. @param onPlace how many come first, now and whenever it
   * changes. @throws PlumeError RESOURCE_EXHAUSTED when too many wait, UNAVAILABLE at the end; the reason of the signal.
   */
  run<T>(work: (signal: AbortSignal) => Promise<T>, signal: AbortSignal, onPlace: (ahead: number) => void): Promise<T>;
  /** Until there is room, in seconds, as far as the last work tells. */
  readonly retrySeconds: number;
  /** Whoever waits is told; the work in hand has so long to end. */
  close(graceMs: number): Promise<void>;
}

interface Waiting {
  readonly begin: () => Promise<unknown>;
  readonly onPlace: (ahead: number) => void;
  readonly reject: (error: unknown) => void;
}

/** @param most of them wait. @param now milliseconds. */
export function createQueue(most: number, now: () => number): Queue {
  const waiting: Waiting[] = [];
  const ended = new AbortController();
  let current: Promise<unknown> | null = null;
  let lastMs = 1_000;
  let isClosing = false;

  const retrySeconds = () => Math.max(1, Math.ceil((lastMs * (waiting.length + 1)) / 1000));
  const tellPlaces = () => {
    for (const [i, { onPlace }] of waiting.entries()) onPlace(i + (current ? 1 : 0));
  };
  const next = () => {
    const entry = current ? undefined : waiting.shift();
    if (!entry) return;
    const began = now();
    current = entry.begin().finally(() => {
      lastMs = now() - began;
      current = null;
      next();
    });
    tellPlaces();
  };

  return {
    get retrySeconds() {
      return retrySeconds();
    },
    run(work, signal, onPlace) {
      if (isClosing) return Promise.reject(ending());
      if (waiting.length >= most) return Promise.reject(full(waiting.length, retrySeconds()));
      return new Promise((resolve, reject) => {
        const leave = () => {
          const place = waiting.indexOf(entry);
          if (place < 0) return;
          waiting.splice(place, 1);
          reject(signal.reason);
          tellPlaces();
        };
        const begin = () => {
          signal.removeEventListener("abort", leave);
          return work(AbortSignal.any([signal, ended.signal])).then(resolve, reject);
        };
        const entry: Waiting = { begin, onPlace, reject };
        if (signal.aborted) return reject(signal.reason);
        signal.addEventListener("abort", leave, { once: true });
        waiting.push(entry);
        onPlace(waiting.length - 1 + (current ? 1 : 0));
        next();
      });
    },
    async close(graceMs) {
      isClosing = true;
      for (const { reject } of waiting.splice(0)) reject(ending());
      const late = setTimeout(() => ended.abort(ending()), graceMs);
      await current;
      clearTimeout(late);
    },
  };
}

const ending = () =>
  new PlumeError("UNAVAILABLE", "the server is ending", { remedy: "start it again, then ask again" });

const full = (waiting: number, seconds: number) =>
  new PlumeError("RESOURCE_EXHAUSTED", `${waiting} drawings wait already`, {
    remedy: `ask again in about ${seconds} s`,
  });
