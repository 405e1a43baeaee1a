// The payloads of gradient blocks: vectors of the reducer that join the canonical tree once they are whole.

import type { Reducer, Vector } from "../../shared/kernels/reducer.ts";
import type { Collector } from "./sink.ts";
import { createTreeSum } from "./tree-sum.ts";

/** @param onRoot gets the sum of all V leaves of the step, and owns it. */
export function createGradientCollector(
  reducer: Reducer,
  V: number,
  step: number,
  onRoot: (root: Vector) => void,
): Collector {
  const tree = createTreeSum(V, step, reducer);
  return {
    open(block) {
      const vector = reducer.allocate();
      return {
        bytes: reducer.gradientBytes,
        fill: (source, signal) => reducer.land(vector, source, signal),
        arrived: () => reducer.arrived(vector),
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
