// The contract of a claim that is put to the test.

import type { RunRecord } from "../../../shared/report/read-run.ts";
import type { System } from "../systems.ts";

/** Trains systems and asks about them; what is there is not computed again. */
export interface Bench {
  /** Of training. */
  readonly seeds: readonly number[];
  /** Images a seed. */
  readonly count: number;
  readonly bitsCount: number;
  systemOf(name: string): System;
  /** A run that failed is one, too: its outcome says so. */
  trained(name: string, seed: number): Promise<RunRecord>;
  /**
   * What plume says of its weights, with --json. @param what names it. @param args of the run's folder. @throws PlumeError
   * FAILED_PRECONDITION for a run that failed.
   */
  asked<A>(name: string, seed: number, what: string, args: (folder: string) => readonly string[]): Promise<A>;
  /** Where `asked` keeps what it was told, and a command may put its pictures. */
  answersOf(name: string, seed: number): string;
}

export interface Claim {
  readonly title: string;
  /** As people say it. */
  readonly claim: string;
  /** What is done to see whether it is so. */
  readonly experiment: string;
  /** HTML. */
  show(bench: Bench): Promise<readonly string[]>;
}
