// What a reducer does with its shards.

import { collects, counter } from "../metric.ts";
import type { ReducerCounts } from "./source.ts";

export const shards = collects<null, ReducerCounts>()(
  {
    bytes: counter(
      "plume_reducer_wire_bytes_total",
      "Payload of this reducer. in: shards of results. out: shards of vectors.",
      {
        direction: ["in", "out"],
      },
    ),
    calls: counter("plume_reducer_kernel_calls_total", "Kernels run on its shards."),
    seconds: counter("plume_reducer_kernel_seconds_total", "From an order for kernels to its end; orders overlap."),
  },
  (m) => ({
    scrape({ bytes, kernels }) {
      m.bytes.total(bytes.in, { direction: "in" });
      m.bytes.total(bytes.out, { direction: "out" });
      m.calls.total(kernels.calls);
      m.seconds.total(kernels.seconds);
    },
  }),
);
