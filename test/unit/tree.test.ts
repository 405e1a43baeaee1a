import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Block, childrenOf, decompose, isNode, parentOf, sumBlock } from "../../shared/tensor/tree.ts";

/** The definition, level by level, as the oracle. */
function sumByLevels(leaves: Float32Array): number {
  let level = [...leaves];
  while (level.length > 1) {
    const next: number[] = [];
    for (let i = 0; i < level.length; i += 2)
      next.push(i + 1 < level.length ? Math.fround(level[i]! + level[i + 1]!) : level[i]!);
    level = next;
  }
  return level[0]!;
}

const sizes = fc.integer({ min: 1, max: 70 });

describe("the canonical tree", () => {
  it("is the pairwise sum by levels, whatever V is", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.float({ noNaN: true, min: -1e6, max: 1e6 }), { minLength: 1, maxLength: 70 }),
        async (xs) => {
          const leaves = Float32Array.from(xs);
          const sum = await sumBlock(
            { lo: 0, hi: xs.length },
            (i) => leaves[i]!,
            (a, b) => Math.fround(a + b),
          );
          expect(sum).toBe(sumByLevels(leaves));
        },
      ),
    );
  });

  it("splits every node into two nodes whose parent it is", () => {
    fc.assert(
      fc.property(sizes, (V) => {
        const visit = (node: Block) => {
          expect(isNode(node, V)).toBe(true);
          const children = childrenOf(node);
          if (!children) return expect(node.hi - node.lo).toBe(1);
          const [left, right] = children;
          expect(parentOf(left, V)).toEqual({ parent: node, sibling: right, left: true });
          expect(parentOf(right, V)).toEqual({ parent: node, sibling: left, left: false });
          visit(left);
          visit(right);
        };
        visit({ lo: 0, hi: V });
        expect(parentOf({ lo: 0, hi: V }, V)).toBeNull();
      }),
    );
  });

  it("covers any range by nodes, in order, without gap or overlap, and never two where one would do", () => {
    fc.assert(
      fc.property(sizes, fc.nat(), fc.nat(), (V, a, b) => {
        const lo = a % V;
        const hi = lo + 1 + (b % (V - lo));
        const blocks = decompose({ lo, hi }, V);
        expect(blocks[0]!.lo).toBe(lo);
        expect(blocks.at(-1)!.hi).toBe(hi);
        blocks.forEach((block, i) => {
          expect(isNode(block, V)).toBe(true);
          if (i > 0) expect(block.lo).toBe(blocks[i - 1]!.hi);
          const up = parentOf(block, V);
          if (up) expect(up.parent.lo >= lo && up.parent.hi <= hi).toBe(false);
        });
      }),
    );
  });

  it("refuses ranges that are no nodes", () => {
    expect(isNode({ lo: 1, hi: 3 }, 8)).toBe(false);
    expect(isNode({ lo: 2, hi: 5 }, 8)).toBe(false);
    expect(isNode({ lo: 0, hi: 9 }, 8)).toBe(false);
    expect(isNode({ lo: 4, hi: 5 }, 5)).toBe(true);
    expect(isNode({ lo: 4, hi: 6 }, 6)).toBe(true);
  });
});
