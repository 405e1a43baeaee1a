// The compute thread's memory, as of its newest block.

import { gauge } from "../metric.ts";
import { ofWorker } from "./source.ts";

export const device = ofWorker(
  {
    tensors: gauge("plume_worker_tensors", "Tensors alive on the compute thread between two blocks."),
    tensorBytes: gauge("plume_worker_tensor_bytes", "Bytes of those tensors."),
    usedBytes: gauge(
      "plume_worker_backend_memory_bytes",
      "Memory of the compute backend: the heap of wasm, what is allocated elsewhere.",
    ),
  },
  (m) => ({
    scrape({ device: figures }) {
      m.tensors.set(figures?.tensors ?? null);
      m.tensorBytes.set(figures?.tensorBytes ?? null);
      m.usedBytes.set(figures?.usedBytes ?? null);
    },
  }),
);
