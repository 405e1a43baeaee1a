// The order of stages: each after all that it takes.

import { edgesOf, type Stage } from "./schema.ts";

type Node = Pick<Stage, "name" | "models" | "base">;

/** Stages that one names: those that it is trained with, and the one that draws for it. */
export const namedBy = (stage: Node): readonly string[] => [
  ...edgesOf(stage).map(([, { stage: name }]) => name),
  ...(stage.base === null ? [] : [stage.base]),
];

export type Order<T> =
  | { readonly kind: "ordered"; readonly stages: readonly T[] }
  | { readonly kind: "cycle"; readonly path: readonly string[] };

/** As the file has them, save for what has to come first. Names of no stage are passed over. */
export function inOrder<T extends Node>(stages: readonly T[]): Order<T> {
  const byName = new Map(stages.map((stage) => [stage.name, stage]));
  const ordered = new Set<T>();
  /** @returns the names of a circle that `stage` is in or leads to. */
  const visit = (stage: T, path: readonly string[]): readonly string[] | null => {
    if (ordered.has(stage)) return null;
    if (path.includes(stage.name)) return [...path.slice(path.indexOf(stage.name)), stage.name];
    for (const name of namedBy(stage)) {
      const next = byName.get(name);
      const circle = next ? visit(next, [...path, stage.name]) : null;
      if (circle) return circle;
    }
    ordered.add(stage);
    return null;
  };
  for (const stage of stages) {
    const path = visit(stage, []);
    if (path) return { kind: "cycle", path };
  }
  return { kind: "ordered", stages: [...ordered] };
}

/** The stages given and all that are trained with them, near or far. */
export function withDownstream(stages: readonly Stage[], names: readonly string[]): ReadonlySet<string> {
  const all = new Set(names);
  // Stages come after what they take.
  for (const stage of stages) if (edgesOf(stage).some(([, edge]) => all.has(edge.stage))) all.add(stage.name);
  return all;
}
