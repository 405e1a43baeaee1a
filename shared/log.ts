// pino, wired once: JSON lines to a file or stdout. Log transitions, not ticks; bind ids with `log.child({...})`.

import { mkdirSync, openSync, writeSync } from "node:fs";
import { dirname } from "node:path";
import { type DestinationStream, type Logger, pino } from "pino";

export type { Logger } from "pino";

export interface LogOptions {
  /** A file to append to; stdout when absent. */
  readonly file?: string;
}

export function createLog(bindings: Record<string, string>, options: LogOptions = {}): Logger {
  const destination = options.file ? appendTo(options.file) : pino.destination({ fd: 1, sync: true });
  return pino({ base: { ...bindings, pid: process.pid } }, destination);
}

/** Each line at once, so that the last words of a process that is killed are there. */
function appendTo(file: string): DestinationStream {
  mkdirSync(dirname(file), { recursive: true });
  const descriptor = openSync(file, "a");
  return {
    write(line) {
      try {
        writeSync(descriptor, line);
      } catch {
        // A full disk loses the line; it must not stop the process that the line is about.
      }
    },
  };
}

export const silentLog: Logger = pino({ level: "silent" });
