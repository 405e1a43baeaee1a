// Options of a script, from its command line.

import { type ParseArgsConfig, parseArgs } from "node:util";
import { describeError, PlumeError } from "./errors.ts";

type Options = NonNullable<ParseArgsConfig["options"]>;
type Values<O extends Options> = ReturnType<typeof parseArgs<{ options: O }>>["values"];

/** @param help the command that lists them. @throws PlumeError INVALID_ARGUMENT for one that it has not. */
export function parseOptions<const O extends Options>(options: O, help: string): Values<O> {
  try {
    return parseArgs({ options }).values;
  } catch (error) {
    throw new PlumeError("INVALID_ARGUMENT", describeError(error), { remedy: `see ${help}` });
  }
}
