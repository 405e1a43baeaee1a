// pino, wired once: JSON lines to a file or stdout. Log transitions, not ticks; bind ids with `log.child({...})`.

import { type Logger, pino } from "pino";

export type { Logger } from "pino";

export interface LogOptions {
  readonly level?: string;
  /** A file to append to; stdout when absent. */
  readonly file?: string;
}

export function createLog(bindings: Record<string, string>, options: LogOptions = {}): Logger {
  const destination = options.file
    ? pino.destination({ dest: options.file, mkdir: true, sync: true })
    : pino.destination({ fd: 1, sync: true });
  return pino({ level: options.level ?? "info", base: { ...bindings, pid: process.pid } }, destination);
}

export const silentLog: Logger = pino({ level: "silent" });
