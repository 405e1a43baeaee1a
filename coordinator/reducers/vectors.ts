// Where a run's vectors live: in the coordinator itself, or in reducer processes.

import { availableParallelism } from "node:os";
import { openReducer, type ReducerOptions, reducerOver } from "../../shared/kernels/open-reducer.ts";
import type { Reducer } from "../../shared/kernels/reducer.ts";
import { bytesOf } from "../../shared/rpc/call.ts";
import type { PullSource } from "../rpc/pull.ts";
import { checkReducers, type ReducerProcesses, type ReducerProcessesOptions, startReducers } from "./processes.ts";

export interface RunVectors extends Pick<ReducerProcesses, "ports" | "join" | "serve"> {
  readonly reducer: Reducer;
  /** What the coordinator's own port gives out of them. */
  readonly bytes: PullSource["bytes"];
}

/** @throws PlumeError INVALID_ARGUMENT when there are fewer shards than processes are wanted. */
export async function openVectors(
  options: ReducerOptions,
  processes: Pick<ReducerProcessesOptions, "out" | "host" | "count" | "onLost">,
): Promise<RunVectors> {
  const { layout } = options;
  checkReducers(layout, processes.count);
  if (processes.count > 1) {
    const started = await startReducers({ ...processes, layout, threads: availableParallelism() });
    const reducer = reducerOver(started.groups, options, (id) => ({ id }));
    return { ...started, reducer, bytes: () => undefined };
  }
  const reducer = await openReducer(options);
  return {
    reducer,
    ports: [],
    join: async () => [],
    serve: async () => {},
    bytes: (vector, shard) => (layout.shards[shard] ? bytesOf(reducer[vector].shard(shard)) : undefined),
  };
}
