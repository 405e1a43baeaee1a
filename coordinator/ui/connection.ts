// The line to the coordinator: asks with the token where there is one, listens to events, and comes back after whatever
// breaks it. A coordinator that was killed is started again on the same port, so the page need not be loaded again.

import { createLine, type Line } from "./line.ts";
import { readEvents } from "./sse.ts";

export type LinkState =
  | { readonly kind: "connecting" | "live" | "closed" }
  /** The token is missing or wrong. */
  | { readonly kind: "locked"; readonly wrong: boolean }
  | { readonly kind: "lost"; readonly sinceMs: number };

export interface Handlers {
  readonly onState: (state: LinkState) => void;
  /** @param id of a kept event. */
  readonly onMessage: (event: string, data: unknown, id: string | null) => void;
}

export interface Connection extends Pick<Line, "ask" | "get" | "picture"> {
  command(verb: string, args: object): Promise<CommandAnswer>;
  /** Listens from now on, again after `close` too. */
  listen(): void;
  close(): void;
  unlock(token: string): void;
}

type CommandAnswer =
  | { readonly ok: true; readonly result: Record<string, unknown> }
  | { readonly ok: false; readonly message: string; readonly remedy: string | null };

/** The server says something every two seconds. */
const SILENCE_MS = 8_000;
const PAUSES_MS = [250, 500, 1_000, 2_000];
const COMMAND_MS = 120_000;

export function createConnection({ onState, onMessage }: Handlers): Connection {
  const line = createLine();
  let lastId: string | null = null;
  let tries = 0;
  let lostSince: number | null = null;
  let current: AbortController | null = null;
  let timer: ReturnType<typeof setTimeout> | undefined;

  const once = async (stop: AbortController) => {
    let silence: ReturnType<typeof setTimeout> | undefined;
    const alive = () => {
      clearTimeout(silence);
      silence = setTimeout(() => stop.abort(), SILENCE_MS);
    };
    try {
      alive();
      const response = await fetch("api/events", {
        headers: line.headers(lastId === null ? {} : { "last-event-id": lastId }),
        signal: stop.signal,
        cache: "no-store",
      });
      if (response.status === 401) return "locked";
      if (!response.ok) return "lost";
      tries = 0;
      lostSince = null;
      onState({ kind: "live" });
      await readEvents(response, alive, ({ id, event, data }) => {
        if (id !== null) lastId = id;
        onMessage(event, JSON.parse(data), id);
      });
      return "lost";
    } catch {
      return "lost";
    } finally {
      clearTimeout(silence);
    }
  };

  const listen = async () => {
    clearTimeout(timer);
    current?.abort();
    const stop = new AbortController();
    current = stop;
    const how = await once(stop);
    if (current !== stop) return; // closed, or begun anew
    if (how === "locked") return onState({ kind: "locked", wrong: line.hasToken });
    lostSince ??= Date.now();
    onState({ kind: "lost", sinceMs: lostSince });
    timer = setTimeout(listen, PAUSES_MS[Math.min(tries++, PAUSES_MS.length - 1)]);
  };

  return {
    ask: line.ask,
    get: line.get,
    picture: line.picture,

    async command(verb, args) {
      try {
        const response = await fetch(`api/cmd/${verb}`, {
          method: "POST",
          headers: line.headers({ "content-type": "application/json", "x-plume": "1" }),
          body: JSON.stringify({ id: crypto.randomUUID?.() ?? `${Date.now()}-${Math.random()}`, args }),
          signal: AbortSignal.timeout(COMMAND_MS),
        });
        const answer = await response.json();
        if (answer.ok) return { ok: true, result: answer.result };
        return { ok: false, message: answer.error.message, remedy: answer.error.remedy };
      } catch {
        return { ok: false, message: "no answer to this command", remedy: "see below whether it was carried out" };
      }
    },

    listen: () => void listen(),
    close() {
      clearTimeout(timer);
      const open = current;
      current = null;
      open?.abort();
      onState({ kind: "closed" });
    },
    unlock(given) {
      line.unlock(given);
      void listen();
    },
  };
}
