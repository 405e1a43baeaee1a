// The contract between the golden runner (run.ts) and the adapters in families/: a family turns a case's params and
// inputs into the outputs that the case expects. Adapters must serve any case of their family's format, not only the
// committed ones: other folders of the same format are run with GOLDENS_DIR.

export interface GoldenCase {
  readonly name: string;
  readonly source: string;
  readonly note?: string;
  readonly precision?: string;
  readonly params: Readonly<Record<string, unknown>>;
  readonly inputs: Readonly<Record<string, unknown>>;
  readonly expected: Readonly<Record<string, unknown>>;
  /** Per output `[rtol, atol]`: pass if |got - expected| <= atol + rtol * |expected|; [0, 0] is exact. */
  readonly tol: Readonly<Record<string, readonly [number, number]>>;
  /** Replaces `tol` for adapters that evaluate the case in float32. */
  readonly tol_float32?: Readonly<Record<string, readonly [number, number]>>;
}

export interface GoldenFamily {
  /** The file's stem: "schedules". */
  readonly name: string;
  /** True for the cases that this adapter computes in float32 (on a TensorFlow.js backend or in float32 kernels). */
  float32(golden: GoldenCase): boolean;
  /** @returns one value (number, string, boolean, nested or typed array) for each key of `golden.expected`. */
  run(golden: GoldenCase): Promise<Record<string, unknown>> | Record<string, unknown>;
}
