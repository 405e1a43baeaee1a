// Payloads on their way to a reducer process. The coordinator says where one is to land, its worker sends it; whichever
// comes first waits for the other.

import { PlumeError } from "../../shared/errors.ts";

type Chunks = AsyncIterable<Uint8Array>;
/** @returns bytes that came. */
type Land = (chunks: Chunks) => Promise<number>;

export interface Landings {
  /** A place is there. Rejects when the chunks break off, or with STALE when the signal says that nobody wants them. */
  expect(key: string, land: Land, signal: AbortSignal): Promise<number>;
  /** Chunks are there. Resolves once they have landed; rejects when that fails, or with STALE when they were cut off before. */
  arrive(key: string, chunks: Chunks, signal: AbortSignal): Promise<number>;
}

interface Waiting<T> {
  readonly what: T;
  readonly resolve: (landing: Promise<number>) => void;
}

export function createLandings(): Landings {
  const places = new Map<string, Waiting<Land>>();
  const cargo = new Map<string, Waiting<Chunks>>();

  /** Waits in `mine` under the key until the other side comes, or the signal says that it is not worth waiting. */
  const wait = <T>(mine: Map<string, Waiting<T>>, key: string, what: T, signal: AbortSignal) =>
    new Promise<number>((resolve, reject) => {
      const leave = () => {
        if (mine.get(key) === entry) mine.delete(key);
        reject(new PlumeError("STALE", `nobody waits for the push ${key} any more`));
      };
      const entry: Waiting<T> = {
        what,
        resolve(landing) {
          signal.removeEventListener("abort", leave);
          mine.delete(key);
          resolve(landing);
        },
      };
      mine.set(key, entry);
      if (signal.aborted) return leave();
      signal.addEventListener("abort", leave, { once: true });
    });

  return {
    expect(key, land, signal) {
      const here = cargo.get(key);
      if (!here) return wait(places, key, land, signal);
      const landing = land(here.what);
      here.resolve(landing);
      return landing;
    },
    arrive(key, chunks, signal) {
      const here = places.get(key);
      if (!here) return wait(cargo, key, chunks, signal);
      const landing = here.what(chunks);
      here.resolve(landing);
      return landing;
    },
  };
}
