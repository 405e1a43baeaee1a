// One line of the ledger: which samples went into a committed step, and who computed them.

import { z } from "zod";

export const ledgerLineSchema = z.strictObject({
  step: z.int().min(0),
  /** Epoch of the step's first sample, or of the next one where it uses none. */
  epoch: z.int().min(0),
  /** Cursor ranges [epoch, from, to) in the order they were used: two where an epoch ends inside the step, none of one without samples. */
  ranges: z.array(z.tuple([z.int().min(0), z.int().min(0), z.int().min(0)])),
  /** Digest of each micro-batch's sample ids, as its worker reported them, in index order. */
  ids: z.array(z.string().regex(/^[0-9a-f]{8}$/)),
  /** Who computed which micro-batches [lo, hi). */
  blocks: z.array(z.strictObject({ lo: z.int(), hi: z.int(), worker: z.string(), attempt: z.int() })),
  /** null where the number was not finite. */
  loss: z.number().nullable(),
  gradNorm: z.number().nullable(),
  lr: z.number(),
  /** Digest of the summed gradient. */
  gradDigest: z.string(),
  /** The gradient was not finite and the parameters were left as they were. */
  skipped: z.boolean().optional(),
  /** [id, instead]: samples that could not be decoded and those read in their place, in the order of use. */
  skippedSamples: z.array(z.tuple([z.int().min(0), z.int().min(0)])).optional(),
});

export type LedgerLine = z.infer<typeof ledgerLineSchema>;

/** The first line of a ledger that does not begin at step 0: what was before is not proved by it. */
const ledgerBeginSchema = z.strictObject({ begins: z.int().min(1), reason: z.string() });

export type LedgerBegin = z.infer<typeof ledgerBeginSchema>;

export const beginLine = (begins: number, reason: string): string => `${JSON.stringify({ begins, reason })}\n`;

/** Null for any other line. */
export const parseBegin = (value: unknown): LedgerBegin | null => ledgerBeginSchema.safeParse(value).data ?? null;
