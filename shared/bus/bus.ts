// The in-process bus. A subscriber that throws is a defect of the subscriber: it is dropped and named, never the run.

import type { RunEvent } from "./events.ts";

export type Listener = (event: RunEvent) => void;

export interface Bus {
  publish(event: RunEvent): void;
  /** @returns the function that ends the subscription. */
  subscribe(listener: Listener): () => void;
}

export function createBus(onListenerError: (error: unknown) => void): Bus {
  const listeners = new Set<Listener>();
  return {
    publish(event) {
      for (const listener of [...listeners]) {
        try {
          listener(event);
        } catch (error) {
          listeners.delete(listener);
          onListenerError(error);
        }
      }
    },
    subscribe(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
  };
}
