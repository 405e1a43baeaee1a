// Workers in words: the same in a status and in the live block.

import type { MemberView } from "../../shared/bus/events.ts";

export const byName = (a: MemberView, b: MemberView): number =>
  a.workerId.localeCompare(b.workerId, "en", { numeric: true });

export const stateOf = ({ phase, suspect }: MemberView): string => (suspect ? "suspect" : phase);

/** How many are in which state, for example "2 ready, 1 suspect"; empty for none. */
export function stateCounts(members: readonly MemberView[]): string {
  const counts = new Map<string, number>();
  for (const member of members) counts.set(stateOf(member), (counts.get(stateOf(member)) ?? 0) + 1);
  return [...counts].map(([state, n]) => `${n} ${state}`).join(", ");
}
