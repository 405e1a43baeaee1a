// What a reducer process tells its collectors.

export interface ReducerCounts {
  /** Shards of results that came, and of vectors that went. */
  readonly bytes: { readonly in: number; readonly out: number };
  readonly kernels: { readonly calls: number; readonly seconds: number };
}
