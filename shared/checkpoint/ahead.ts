// Parts on their way from a store while the one before is used.

/** Loads ahead of whoever takes, in order: as many as fit into `weight`, and one at least. */
export async function* ahead<T, R>(
  items: readonly T[],
  { weight, of }: { readonly weight: number; readonly of: (item: T) => number },
  load: (item: T) => Promise<R>,
): AsyncGenerator<R> {
  const begun: { readonly item: T; readonly loading: Promise<R> }[] = [];
  let next = 0;
  let begunWeight = 0;
  try {
    while (next < items.length || begun.length > 0) {
      while (next < items.length && (begun.length === 0 || begunWeight + of(items[next]!) <= weight)) {
        const item = items[next++]!;
        const loading = load(item);
        loading.catch(() => {}); // whoever takes it hears of it
        begun.push({ item, loading });
        begunWeight += of(item);
      }
      const { item, loading } = begun.shift()!;
      yield await loading;
      begunWeight -= of(item);
    }
  } finally {
    await Promise.allSettled(begun.map(({ loading }) => loading));
  }
}
