/** Stops at a state that the code's own logic rules out: a defect of plume, never a mistake of the user. */
export function invariant(condition: unknown, what: string): asserts condition {
  if (!condition) throw new Error(`invariant broken: ${what}`);
}
