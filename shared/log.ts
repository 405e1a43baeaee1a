// pino, wired once: JSON lines to a file or stdout. Log transitions, not ticks; bind ids with `log.child({...})`. No secret
// gets into a line (secrets.ts).

import { mkdirSync, openSync, writeSync } from "node:fs";
import { dirname } from "node:path";
import { type DestinationStream, type Logger, pino } from "pino";
import { PlumeError } from "./errors.ts";
import { redact } from "./secrets.ts";

export type { Logger } from "pino";

export const LOG_LEVELS = ["trace", "debug", "info", "warn", "error", "fatal", "silent"] as const;
type LogLevel = (typeof LOG_LEVELS)[number];

/** How `plume train --log-level` reaches the processes that it starts. */
export const LOG_LEVEL_VARIABLE = "PLUME_LOG_LEVEL";

/** What every line says of where the work is, as far as it is known. */
export interface LogFacts {
  readonly job?: string;
  readonly incarnation?: number;
  readonly step?: number;
}

export interface LogOptions {
  /** A file to append to; stdout when absent. */
  readonly file?: string | undefined;
  /** Asked at every line. */
  readonly facts?: () => LogFacts;
}

/** @throws PlumeError INVALID_ARGUMENT for a level in the environment that is none. */
export function createLog(bindings: Readonly<Record<string, string>>, { file, facts }: LogOptions = {}): Logger {
  const options = {
    level: levelOf(process.env[LOG_LEVEL_VARIABLE]),
    base: { ...bindings, pid: process.pid },
    ...(facts ? { mixin: () => ({ ...facts() }) } : {}),
  };
  return pino(options, redacted(file ? appendTo(file) : toStdout()));
}

function levelOf(text: string | undefined): LogLevel {
  if (!text) return "info";
  const level = LOG_LEVELS.find((each) => each === text);
  if (level) return level;
  throw new PlumeError("INVALID_ARGUMENT", `${LOG_LEVEL_VARIABLE}=${text} is no level of a log`, {
    remedy: `use one of ${LOG_LEVELS.join(", ")}`,
  });
}

const redacted = (destination: DestinationStream): DestinationStream => ({
  write: (line) => destination.write(redact(line)),
});

const toStdout = (): DestinationStream => pino.destination({ fd: 1, sync: true });

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
