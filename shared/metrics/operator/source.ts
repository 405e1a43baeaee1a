// What an operator tells its collectors.

export interface OperatorCounts {
  /** Jobs that it knows. */
  readonly jobs: number;
  /** That wait for a pass, or are in one. */
  readonly queued: number;
  readonly leads: boolean;
}

export type OperatorEvent =
  | { readonly kind: "pass"; readonly seconds: number; readonly outcome: "done" | "failed" }
  | { readonly kind: "call"; readonly method: string; readonly outcome: "ok" | "refused" | "failed" }
  | { readonly kind: "watch-failed" }
  /** An object came, changed or went. */
  | { readonly kind: "heard" }
  | { readonly kind: "status-written" };
