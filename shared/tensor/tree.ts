// The canonical binary tree over micro-batch indices [0, V). A node is named by its leaf range: level l, at
// lo = k * 2^l, covers [lo, min(lo + 2^l, V)). Its value is left + right in float32; a node whose right sibling would
// start past V covers the same leaves as its parent and is the parent. So the sum depends on V alone: never on who
// computed which leaves, nor on the order in which partial sums arrive.

import { invariant } from "../invariant.ts";

/** Micro-batches [lo, hi). */
export interface Block {
  readonly lo: number;
  readonly hi: number;
}

/** A node's two children, or null for a leaf. */
export function childrenOf({ lo, hi }: Block): readonly [Block, Block] | null {
  const size = hi - lo;
  if (size <= 1) return null;
  const half = 2 ** Math.ceil(Math.log2(size) - 1);
  return [
    { lo, hi: lo + half },
    { lo: lo + half, hi },
  ];
}

/** True when the range is a node of the tree over [0, V): only such a block may be leased or summed on its own. */
export function isNode({ lo, hi }: Block, V: number): boolean {
  if (lo < 0 || hi <= lo || hi > V) return false;
  const span = spanOf(hi - lo);
  return lo % span === 0 && hi === Math.min(lo + span, V);
}

/** The node's parent and which side it is on; null for the root. */
export function parentOf(
  node: Block,
  V: number,
): { readonly parent: Block; readonly sibling: Block; readonly left: boolean } | null {
  invariant(isNode(node, V), `[${node.lo}, ${node.hi}) is a node of the tree over ${V}`);
  if (node.lo === 0 && node.hi === V) return null;
  for (let span = spanOf(node.hi - node.lo) * 2; ; span *= 2) {
    const lo = Math.floor(node.lo / span) * span;
    const parent = { lo, hi: Math.min(lo + span, V) };
    if (parent.lo === node.lo && parent.hi === node.hi) continue;
    const left = parent.lo === node.lo;
    const sibling = left ? { lo: node.hi, hi: parent.hi } : { lo: parent.lo, hi: node.lo };
    return { parent, sibling, left };
  }
}

/** The fewest nodes that cover [lo, hi), in index order. */
export function decompose({ lo, hi }: Block, V: number): Block[] {
  const blocks: Block[] = [];
  while (lo < hi) {
    let span = 1;
    while (lo % (span * 2) === 0 && fits(lo, span * 2, hi, V)) span *= 2;
    const end = Math.min(lo + span, V);
    blocks.push({ lo, hi: end });
    lo = end;
  }
  return blocks;
}

const fits = (lo: number, span: number, hi: number, V: number) => Math.min(lo + span, V) <= hi && lo + span / 2 < V;

const spanOf = (size: number) => 2 ** Math.ceil(Math.log2(size));

/**
 * A node's own number, its place in an in-order walk of the tree over any V: leaf i has 2 i + 1, a node between its
 * children's. Below 2^32 for leaves below 2^31.
 */
export const nodeNumber = ({ lo, hi }: Block): number => 2 * lo + spanOf(hi - lo);

export const blockKey = ({ lo, hi }: Block): string => `${lo}-${hi}`;

/**
 * Sums leaves produced one by one into the value of their node, holding at most log2(size) + 1 partial sums.
 * `leaf(i)` makes leaf i; `add(left, right, node)` returns the node's value and may reuse either operand.
 */
export async function sumBlock<T>(
  block: Block,
  leaf: (i: number) => Promise<T> | T,
  add: (left: T, right: T, node: Block) => T,
): Promise<T> {
  const children = childrenOf(block);
  if (!children) return leaf(block.lo);
  const left = await sumBlock(children[0], leaf, add);
  const right = await sumBlock(children[1], leaf, add);
  return add(left, right, block);
}
