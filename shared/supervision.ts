// What supervised processes tell the one that started them, over Node's IPC channel.

import type { ErrorCode } from "./errors.ts";

export interface PageAddress {
  /** http://host:port */
  readonly url: string;
  /** With the token in it, for the one who started the run. */
  readonly link: string;
}

export type CoordinatorMessage =
  /** Where it listens; where its page is, and what opens the page: the token, where the coordinator made one. */
  | { readonly kind: "ready"; readonly address: string; readonly page: PageAddress | null }
  /** The run is over: workers leave because they are not needed any more. */
  | { readonly kind: "ending" }
  /** A step was committed: what fails later is no crash loop. */
  | { readonly kind: "productive" }
  /** So many worker processes are wanted from now on. */
  | { readonly kind: "scale"; readonly replicas: number }
  /** A worker was expelled. */
  | { readonly kind: "lost"; readonly worker: string; readonly reason: string }
  | { readonly kind: "error"; readonly code: ErrorCode; readonly message: string; readonly remedy: string | undefined };

export type WorkerMessage =
  /** Its first result was taken: what fails later is no crash loop. */
  { readonly kind: "productive" } | { readonly kind: "joined" };

/** The exit code by which a process says that SIGTERM ended it. */
export const TERMINATED = 143;

/** A coordinator that failed with this code would fail again: it is not started again. */
export const isFinal = (code: ErrorCode): boolean => code !== "INTERNAL" && code !== "UNAVAILABLE";
