// The payload of a gradient block: a vector of the reducer that joins the canonical tree once it is whole.

import type { Reducer, Vector } from "../../shared/kernels/reducer.ts";
import { bytesOf } from "../../shared/rpc/call.ts";
import type { Block } from "../../shared/tensor/tree.ts";
import type { Sink } from "./round.ts";
import type { TreeSum } from "./tree-sum.ts";

export function openGradientSink(reducer: Reducer, tree: TreeSum, block: Block, onRoot: (root: Vector) => void): Sink {
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
}
