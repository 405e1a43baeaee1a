// Those who watch a run by server-sent events. What is kept comes with its id, so that a watcher that was away asks for what
// it missed (Last-Event-ID); measurements are as of now and are gathered for a moment, made into one text for all.
//
// I1. A watcher gets every kept event once, in order: first those behind the one it names, then as they happen.
// I2. A watcher that does not read fast enough is cut, and comes again; the memory for what it has not read is bounded.
// I3. Nobody watching costs nothing.

import type { ServerResponse } from "node:http";
import type { Bus } from "../../shared/bus/bus.ts";
import type { EventLog, StampedEvent } from "../../shared/bus/event-log.ts";
import type { RunStatus } from "../../shared/bus/events.ts";
import type { Messages, StepEvent } from "./api.ts";

export interface Watchers {
  /** Takes over the response. @param after the id of the last kept event that it has; null for all. */
  join(response: ServerResponse, after: string | null): void;
  readonly count: number;
  /** The run is over: says so, and waits a moment for those who fetch the last of it. */
  end(): Promise<void>;
}

export interface WatchersOptions {
  readonly bus: Bus;
  readonly events: EventLog;
  readonly status: () => RunStatus;
  readonly hello: Messages["hello"];
  /** A watcher was cut. */
  readonly onSlow: () => void;
}

/** Measurements are gathered so long. */
const GATHER_MS = 100;
/** Without anything to say, the status is said anyway: heartbeats age, and a watcher knows that the line is whole. */
const QUIET_MS = 2_000;
/** What a watcher may have left unread when the next comes: much for a page, little for this process. */
const MOST_UNREAD = 1 << 20;
/** Of the replay, so many events at a time. */
const REPLAY_PIECE = 250;
/** A watcher has so long to read a piece of it. */
const REPLAY_MS = 20_000;
/** After the end a watcher has so long to fetch the last pictures. */
const LINGER_MS = 2_000;

export function createWatchers({ bus, events, status, hello, onSlow }: WatchersOptions): Watchers {
  const all = new Set<ServerResponse>();
  const live = new Set<ServerResponse>();
  let steps: StepEvent[] = [];
  let newest: RunStatus | null = null;
  let texts: string[] = [];
  let saidMs = 0;
  let over = false;
  let onGone = () => {};

  const flush = () => {
    if (steps.length > 0) texts.push(message("steps", steps));
    if (newest) texts.push(message("status", newest));
    const text = texts.join("");
    steps = [];
    newest = null;
    texts = [];
    if (text === "") return;
    saidMs = performance.now();
    for (const watcher of live) {
      if (watcher.writableLength > MOST_UNREAD) {
        onSlow();
        watcher.destroy();
      } else watcher.write(text);
    }
  };
  const beat = () => {
    if (live.size > 0 && performance.now() - saidMs >= QUIET_MS) newest ??= status();
    flush();
  };
  let timer: NodeJS.Timeout | null = null;

  const unsubscribe = [
    bus.subscribe((event) => {
      if (live.size === 0) return;
      if (event.kind === "step") steps.push(event);
      else if (event.kind === "status") newest = event.status;
    }),
    events.subscribe((stamped) => {
      if (live.size > 0) texts.push(kept(stamped));
    }),
  ];

  const leave = (watcher: ServerResponse) => {
    all.delete(watcher);
    live.delete(watcher);
    onGone();
    if (all.size > 0 || !timer) return;
    clearInterval(timer);
    timer = null;
  };

  /** What it missed, as fast as it reads; then it is one of those who get everything. */
  const replay = async (watcher: ServerResponse, after: string | null) => {
    let last = after;
    for (;;) {
      const missed = events.after(last).slice(0, REPLAY_PIECE);
      if (missed.length === 0) break;
      last = missed.at(-1)!.id;
      if (!watcher.write(missed.map(kept).join("")) && !(await drained(watcher))) return;
    }
    if (watcher.destroyed) return;
    flush(); // what the others still wait for is behind what this one has just got
    watcher.write(message("status", status()));
    live.add(watcher);
    if (over) watcher.end();
  };

  return {
    get count() {
      return all.size;
    },
    join(watcher, after) {
      all.add(watcher);
      watcher.on("close", () => leave(watcher));
      timer ??= setInterval(beat, GATHER_MS);
      watcher.write(`retry: 1000\n${message("hello", hello)}`);
      void replay(watcher, after);
    },
    async end() {
      over = true;
      for (const stop of unsubscribe) stop();
      if (live.size > 0) newest = status();
      flush();
      if (all.size > 0) {
        await new Promise<void>((resolve) => {
          const late = setTimeout(resolve, LINGER_MS);
          onGone = () => {
            if (all.size > 0) return;
            clearTimeout(late);
            resolve();
          };
        });
      }
      for (const watcher of all) watcher.destroy();
    },
  };
}

/** @returns false when it is gone, or was too slow and was cut. */
const drained = (watcher: ServerResponse): Promise<boolean> =>
  new Promise((resolve) => {
    const settle = (whole: boolean) => {
      clearTimeout(late);
      watcher.off("drain", onDrain);
      watcher.off("close", onClose);
      if (!whole) watcher.destroy();
      resolve(whole);
    };
    const onDrain = () => settle(true);
    const onClose = () => settle(false);
    const late = setTimeout(onClose, REPLAY_MS);
    watcher.on("drain", onDrain);
    watcher.on("close", onClose);
  });

const kept = ({ id, ...rest }: StampedEvent): string => `id: ${id}\n${message("kept", rest)}`;

const message = <Name extends keyof Messages>(name: Name, data: Messages[Name]): string =>
  `event: ${name}\ndata: ${JSON.stringify(data)}\n\n`;
