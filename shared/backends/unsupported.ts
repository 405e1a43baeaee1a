// What an operation of a backend says when it is asked for a variant that plume has not written.

import { PlumeError } from "../errors.ts";

/** @param what the variant, with its value. @param remedy what can be done instead. */
export const unsupported = (operation: string, what: string, remedy: string): PlumeError =>
  new PlumeError("FAILED_PRECONDITION", `${operation}: ${what} is not supported`, { remedy });
