// A job as it may be shown: what a URL brings for its server alone is left out of it.

import type { JobSpec } from "../../shared/config/schema.ts";

export const shownSpec = (spec: JobSpec): Readonly<Record<string, unknown>> =>
  JSON.parse(JSON.stringify(spec), (_key, value) => (typeof value === "string" ? shown(value) : value));

/** scheme://user:password@host, and signed queries. */
const shown = (text: string): string =>
  text
    .replace(/(\w:\/\/)[^/?#\s]*@/g, "$1...@")
    .replace(/([?&][^=&\s]*(?:sig|token|key|secret|credential)[^=&\s]*=)[^&\s]*/gi, "$1...");
