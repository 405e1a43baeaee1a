// A folder that plume cannot take, told by the field.

import { PlumeError } from "../errors.ts";

export const refused = (file: string, field: string, value: unknown, allowed: string): PlumeError =>
  new PlumeError("FAILED_PRECONDITION", `${file} has ${field} ${JSON.stringify(value)}, plume has ${allowed}`, {
    remedy: "start from a folder that plume exported, or from a model with these settings",
  });
