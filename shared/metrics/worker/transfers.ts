// Payload of a worker.

import { counter } from "../metric.ts";
import { ofWorker } from "./source.ts";

export const transfers = ofWorker(
  {
    bytes: counter("plume_worker_wire_bytes_total", "Payload of this worker. in: parameters. out: results.", {
      direction: ["in", "out"],
      transport: ["shm", "grpc"],
    }),
  },
  (m) => ({
    scrape({ bytes }) {
      for (const direction of ["in", "out"] as const)
        for (const transport of ["shm", "grpc"] as const)
          m.bytes.total(bytes[direction][transport], { direction, transport });
    },
  }),
);
