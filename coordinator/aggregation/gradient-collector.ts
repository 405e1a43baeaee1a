// The payloads of gradient blocks: vectors of the reducer that join the canonical tree once they are whole.

import type { Reducer, Vector } from "../../shared/kernels/reducer.ts";
import { bytesOf } from "../../shared/rpc/call.ts";
import type { Collector } from "./sink.ts";
import { createTreeSum } from "./tree-sum.ts";

/** @param onRoot gets the sum of all V leaves, and owns it. */
export function createGradientCollector(reducer: Reducer, V: number, onRoot: (root: Vector) => void): Collector {
  const tree = createTreeSum(V, reducer);
  return {
    open(block) {
      const vector = reducer.allocate();
      return {
        bytes: reducer.layout.size * 4,
        regions: reducer.layout.shards.map((shard) => bytesOf(vector.shard(shard.index))),
        digest: () => reducer.digest(vector),
        async collect() {
          const root = await tree.add(block, vector);
          if (root) onRoot(root);
        },
        discard: () => reducer.release(vector),
      };
    },
    dispose: () => tree.dispose(),
  };
}
