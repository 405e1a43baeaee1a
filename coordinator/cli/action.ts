// What every command shares: --json, exit codes, errors in one or two lines, Ctrl-C as an abort signal.

import type { Command } from "commander";
import { describeError, PlumeError } from "../../shared/errors.ts";

export interface CommandIo {
  /** True with --json: print() is silent, result() writes one JSON document. */
  readonly json: boolean;
  /** A line for a person, on stdout. */
  print(line?: string): void;
  /** A line for a person, on stderr (warnings, progress). */
  note(line: string): void;
  /** The machine-readable outcome; printed only with --json. Field names are stable. */
  result(value: unknown): void;
  /** Aborted by the first Ctrl-C or SIGTERM. */
  readonly signal: AbortSignal;
}

/**
 * Wraps a command's action: `program.command("x").action(action(async (io, options, ...args) => {...}))`.
 * The body returns an exit code (0 when it returns nothing); a thrown PlumeError exits with its own code.
 */
export function action<Options extends object>(
  body: (io: CommandIo, options: Options, ...args: string[]) => Promise<number | undefined>,
) {
  return async (...received: unknown[]): Promise<void> => {
    const command = received.at(-1) as Command;
    const options = command.optsWithGlobals() as Options & { json?: boolean };
    const args = received.slice(0, -2) as string[];
    const abort = new AbortController();
    const interrupt = () => abort.abort(new PlumeError("INTERRUPTED", "interrupted"));
    process.once("SIGINT", interrupt);
    process.once("SIGTERM", interrupt);
    const json = options.json === true;
    const io: CommandIo = {
      json,
      print: (line = "") => void (json || process.stdout.write(`${line}\n`)),
      note: (line) => void process.stderr.write(`${line}\n`),
      result: (value) => void (json && process.stdout.write(`${JSON.stringify(value, null, 2)}\n`)),
      signal: abort.signal,
    };
    try {
      process.exitCode = (await body(io, options, ...args)) ?? 0;
    } catch (error) {
      process.exitCode = reportError(error, json);
    } finally {
      process.removeListener("SIGINT", interrupt);
      process.removeListener("SIGTERM", interrupt);
    }
  };
}

/** Prints an error the way every command does. @returns the exit code. */
export function reportError(error: unknown, json: boolean): number {
  const known = error instanceof PlumeError;
  if (json) {
    const document = known
      ? { error: { code: error.code, message: error.message, remedy: error.remedy ?? null } }
      : { error: { code: "INTERNAL", message: describeError(error), remedy: null } };
    process.stdout.write(`${JSON.stringify(document, null, 2)}\n`);
  } else {
    process.stderr.write(`plume: ${describeError(error)}\n`);
    if (!known && error instanceof Error) process.stderr.write(`${error.stack}\n`);
  }
  return known ? error.exitCode : 1;
}
