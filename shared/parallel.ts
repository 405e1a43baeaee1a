// Several at once, never all.

/**
 * Begins with each in order, `limit` under way at most; after a failure none is begun. @returns the results in the order of
 * the items. @throws the failure of the first item in that order, whichever failed soonest, once nothing is under way any more.
 */
export async function inParallel<T, R>(items: Iterable<T>, limit: number, act: (item: T) => Promise<R>): Promise<R[]> {
  const iterator = items[Symbol.iterator]();
  const results: R[] = [];
  const failures = new Map<number, unknown>();
  let begun = 0;
  const lane = async () => {
    for (let next = iterator.next(); failures.size === 0 && !next.done; next = iterator.next()) {
      const index = begun++;
      try {
        results[index] = await act(next.value);
      } catch (error) {
        failures.set(index, error);
      }
    }
  };
  await Promise.all(Array.from({ length: limit }, lane));
  if (failures.size > 0) throw failures.get(Math.min(...failures.keys()));
  return results;
}
