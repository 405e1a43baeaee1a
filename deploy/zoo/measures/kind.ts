// The contract of what a system can be measured by.

import type { System } from "../systems.ts";

export interface MeasureAsked {
  readonly seed: number;
  /** Images, where the kind takes any. */
  readonly count: number;
  /** Images whose likelihood is computed, which takes longer. */
  readonly bitsCount: number;
}

/** A system that was measured by a kind. */
export interface Answered<A> {
  readonly name: string;
  readonly system: System;
  /** Of training. */
  readonly seeds: readonly number[];
  /** What the command said: one a seed. */
  readonly answers: readonly A[];
  /** As of all systems: seconds of training and images a second. */
  readonly cost: readonly string[];
}

export interface MeasureKind<A = unknown> {
  /** Heads the section of a page, and the table of all systems. */
  readonly title: string;
  /** plume's own words, without --json. */
  args(checkpoint: string, asked: MeasureAsked): readonly string[];
  /** Content of a system's page: HTML. */
  show(measured: Answered<A>): string;
  /** Rows of all systems that are measured by it, the head first; names stand in the first column. */
  compare(all: readonly Answered<A>[]): string[][];
  /** What must be known to read that table. */
  readonly note: string;
}
