// What a worker counts of itself. Plain additions where things happen; read when somebody scrapes.

import type { DeviceFigures, WorkerCounts, WorkPart } from "../shared/metrics/worker/source.ts";

export interface WorkerMeter {
  readonly counts: WorkerCounts;
  /** A session is up and this worker is ready in it, or it is over. */
  connected(yes: boolean): void;
  block(taken: boolean): void;
  computed(microBatches: number, device: DeviceFigures): void;
  spent(part: WorkPart, seconds: number): void;
  moved(direction: "in" | "out", transport: "shm" | "grpc", bytes: number): void;
}

export function createWorkerMeter(): WorkerMeter {
  const counts = {
    connected: false,
    sessions: 0,
    blocks: { taken: 0, dropped: 0 },
    microBatches: 0,
    seconds: { pull: 0, data: 0, compute: 0, push: 0 },
    bytes: { in: { shm: 0, grpc: 0 }, out: { shm: 0, grpc: 0 } },
    device: null as DeviceFigures | null,
  };
  return {
    counts,
    connected(yes) {
      if (yes) counts.sessions++;
      counts.connected = yes;
    },
    block(taken) {
      counts.blocks[taken ? "taken" : "dropped"]++;
    },
    computed(microBatches, device) {
      counts.microBatches += microBatches;
      counts.device = device;
    },
    spent(part, seconds) {
      counts.seconds[part] += seconds;
    },
    moved(direction, transport, bytes) {
      counts.bytes[direction][transport] += bytes;
    },
  };
}
