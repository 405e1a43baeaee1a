// Several at once, never all: parts on their way to a store, and from it.

/** Begins with each in order, `limit` under way at most. After a failure none is begun; throws it once the others are over. */
export async function inParallel<T>(items: Iterable<T>, limit: number, act: (item: T) => Promise<void>): Promise<void> {
  const iterator = items[Symbol.iterator]();
  let failed = false;
  const lane = async () => {
    for (let next = iterator.next(); !failed && !next.done; next = iterator.next()) {
      try {
        await act(next.value);
      } catch (error) {
        failed = true;
        throw error;
      }
    }
  };
  const lanes = await Promise.allSettled(Array.from({ length: limit }, lane));
  const failure = lanes.find(({ status }) => status === "rejected") as PromiseRejectedResult | undefined;
  if (failure) throw failure.reason;
}

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
