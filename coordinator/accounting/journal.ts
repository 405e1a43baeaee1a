// What must outlive the coordinator process besides the state of training: when the run began, where its time went, which
// failures it survived, what was asked of it. One small file in the run's folder, replaced whole about every second;
// a coordinator that is started again after a crash reads it, a run that ends removes it.

import { existsSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { GOODPUT_STATES } from "../../shared/bus/events.ts";

/** Its name in the run's folder. */
export const JOURNAL = "journal.json";

const failureSchema = z.object({
  kind: z.enum(["worker", "coordinator"]),
  subject: z.string(),
  reason: z.string(),
  atMs: z.number(),
});

const journalSchema = z.object({
  /** Milliseconds since the epoch, of this file. */
  markedAtMs: z.number(),
  firstStep: z.int(),
  seconds: z.record(z.enum(GOODPUT_STATES), z.number()),
  /** The most that each state ever had in a journal: time may be moved to another state later, counters may not go back. */
  counted: z.record(z.enum(GOODPUT_STATES), z.number()).optional(),
  recoveries: z.array(failureSchema.extend({ step: z.int(), seconds: z.number() })),
  /** Failures without a committed step since. */
  open: z.array(failureSchema),
  /** Workers asked for. */
  desired: z.int(),
  /** Why the run is paused; null when it is not. */
  paused: z.string().nullable(),
  /** Why the run's bits may differ from another's. */
  blemishes: z.array(z.string()),
  saves: z.object({
    written: z.int(),
    failed: z.int(),
    retried: z.int(),
    stallSeconds: z.number(),
    passedOver: z.int(),
  }),
});

export type JournalEntry = z.infer<typeof journalSchema>;

export function writeJournal(file: string, entry: JournalEntry): void {
  writeFileSync(`${file}.tmp`, `${JSON.stringify(entry)}\n`);
  renameSync(`${file}.tmp`, file);
}

/** A run in this folder was begun and has not ended. */
export const isBegun = (out: string): boolean => existsSync(join(out, JOURNAL));

/** Null when there is none, or none that can be read: the accounts then begin anew. */
export function readJournal(file: string): JournalEntry | null {
  try {
    return journalSchema.parse(JSON.parse(readFileSync(file, "utf8")));
  } catch {
    return null;
  }
}

export const removeJournal = (file: string): void => rmSync(file, { force: true });
