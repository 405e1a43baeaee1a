// Bytes of payload by the way they took, counted where they pass.

import type { Flow } from "../../shared/metrics/run/source.ts";

export interface WireMeter {
  count(flow: Flow, bytes: number): void;
  readonly flows: readonly (Flow & { readonly bytes: number })[];
}

export function createWireMeter(): WireMeter {
  const totals = new Map<string, Flow & { bytes: number }>();
  return {
    count(flow, bytes) {
      const key = `${flow.direction} ${flow.payload} ${flow.transport}`;
      const total = totals.get(key);
      if (total) total.bytes += bytes;
      else totals.set(key, { ...flow, bytes });
    },
    get flows() {
      return [...totals.values()];
    },
  };
}
