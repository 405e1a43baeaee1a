// The coordinator's part of the canonical tree: takes the values of nodes in any order and adds siblings as soon as
// both are there. Owns the vectors given to it until they are summed away; the root's goes to the caller.

import { PlumeError } from "../../shared/errors.ts";
import type { Reducer, Vector } from "../../shared/kernels/reducer.ts";
import { type Block, blockKey, parentOf } from "../../shared/tensor/tree.ts";

export interface TreeSum {
  /** Adds a node's value. @returns the root's value once every leaf is in, else null. */
  add(block: Block, value: Vector): Promise<Vector | null>;
  /** True when the block's leaves are in already, alone or inside a larger node. */
  covers(block: Block): boolean;
  /** Gives back every vector: those that wait for their sibling now, those in an addition when it is done. */
  dispose(): void;
}

export function createTreeSum(V: number, step: number, reducer: Pick<Reducer, "add" | "release">): TreeSum {
  const waiting = new Map<string, { block: Block; value: Vector }>();
  const covered = new Uint8Array(V);
  let disposed = false;

  return {
    covers: (block) => covered.subarray(block.lo, block.hi).every((leaf) => leaf === 1),

    async add(block, value) {
      if (covered.subarray(block.lo, block.hi).some((leaf) => leaf === 1))
        throw new PlumeError("INTERNAL", `block [${block.lo}, ${block.hi}) overlaps leaves that are summed already`);
      covered.fill(1, block.lo, block.hi);
      let node = block;
      for (let up = parentOf(node, V); up; up = parentOf(node, V)) {
        const other = waiting.get(blockKey(up.sibling));
        if (!other) {
          waiting.set(blockKey(node), { block: node, value });
          return null;
        }
        waiting.delete(blockKey(up.sibling));
        // Left plus right, whichever came last: float32 addition commutes, so the sum may lie in either.
        const [left, right] = up.left ? [value, other.value] : [other.value, value];
        await reducer.add(value, left, right, { step, block: up.parent });
        reducer.release(other.value);
        if (disposed) {
          reducer.release(value);
          return null;
        }
        node = up.parent;
      }
      return value;
    },

    dispose() {
      disposed = true;
      for (const { value } of waiting.values()) reducer.release(value);
      waiting.clear();
    },
  };
}
