// The in-process bus. A subscriber that throws is a defect of the subscriber: it is dropped and named, never the run. No
// secret gets into an event, whoever hears it.

import { redact } from "../secrets.ts";
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
    publish(told) {
      const event = withoutSecrets(told);
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

/** The event itself where there is nothing to hide: reasons are what errors say, and those may quote anything. */
function withoutSecrets(event: RunEvent): RunEvent {
  if (event.kind === "step") return event;
  const text = JSON.stringify(event);
  const safe = redact(text);
  return safe === text ? event : (JSON.parse(safe) as RunEvent);
}
