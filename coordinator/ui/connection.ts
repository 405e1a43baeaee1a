// The line to the coordinator: asks with the token where there is one, listens to events, and comes back after whatever
// breaks it. A coordinator that was killed is started again on the same port, so the page need not be loaded again.

import { createParser } from "./sse.ts";

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

export interface Connection {
  get<T>(path: string): Promise<T>;
  /** A picture, as an address for <img>. */
  picture(path: string): Promise<string>;
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
const TOKEN = "plume-token";

export function createConnection({ onState, onMessage }: Handlers): Connection {
  let token = takeToken();
  let lastId: string | null = null;
  let tries = 0;
  let lostSince: number | null = null;
  let current: AbortController | null = null;
  let timer: ReturnType<typeof setTimeout> | undefined;

  const headers = (more: Record<string, string> = {}) => (token ? { ...more, authorization: `Bearer ${token}` } : more);

  const read = async (response: Response, alive: () => void) => {
    const parse = createParser();
    const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      alive();
      for (const { id, event, data } of parse(value)) {
        if (id !== null) lastId = id;
        onMessage(event, JSON.parse(data), id);
      }
    }
  };

  const once = async (stop: AbortController) => {
    let silence: ReturnType<typeof setTimeout> | undefined;
    const alive = () => {
      clearTimeout(silence);
      silence = setTimeout(() => stop.abort(), SILENCE_MS);
    };
    try {
      alive();
      const response = await fetch("api/events", {
        headers: headers(lastId === null ? {} : { "last-event-id": lastId }),
        signal: stop.signal,
        cache: "no-store",
      });
      if (response.status === 401) return "locked";
      if (!response.ok) return "lost";
      tries = 0;
      lostSince = null;
      onState({ kind: "live" });
      await read(response, alive);
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
    if (how === "locked") return onState({ kind: "locked", wrong: token !== null });
    lostSince ??= Date.now();
    onState({ kind: "lost", sinceMs: lostSince });
    timer = setTimeout(listen, PAUSES_MS[Math.min(tries++, PAUSES_MS.length - 1)]);
  };

  const ask = async (path: string) => {
    const response = await fetch(path, { headers: headers(), cache: "no-store" });
    if (!response.ok) throw new Error(`${path}: ${response.status}`);
    return response;
  };

  return {
    get: async <T>(path: string) => (await ask(path)).json() as Promise<T>,
    picture: async (path) => URL.createObjectURL(await (await ask(path)).blob()),

    async command(verb, args) {
      try {
        const response = await fetch(`api/cmd/${verb}`, {
          method: "POST",
          headers: headers({ "content-type": "application/json", "x-plume": "1" }),
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
      token = given;
      sessionStorage.setItem(TOKEN, given);
      void listen();
    },
  };
}

/** From the address, out of which it is taken: whoever sees the screen or the history must not see it. */
function takeToken(): string | null {
  const given = new URLSearchParams(location.hash.slice(1)).get("token");
  if (given) {
    sessionStorage.setItem(TOKEN, given);
    history.replaceState(null, "", location.pathname + location.search);
  }
  return sessionStorage.getItem(TOKEN);
}
