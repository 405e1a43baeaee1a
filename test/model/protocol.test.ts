import fc from "fast-check";
import { describe, it } from "vitest";
import { createDispatcher } from "../../coordinator/dispatcher.ts";
import { createMembership } from "../../coordinator/membership/members.ts";
import { createSessions } from "../../coordinator/rpc/session.ts";
import { faulty, lying } from "./schedules.ts";

const parts = { createDispatcher, createMembership, createSessions };
/** PLUME_MODEL_RUNS raises it for a longer search, PLUME_MODEL_SEED repeats one. */
const numRuns = Number(process.env.PLUME_MODEL_RUNS ?? 20_000);
const seed = process.env.PLUME_MODEL_SEED ? { seed: Number(process.env.PLUME_MODEL_SEED) } : {};

describe("the membership and commit protocol, under any order of messages, losses, repeats, timeouts and crashes", () => {
  it(`uses no sample twice, commits no step without all its leaves or twice, leases nothing to the dead, and arrives (${numRuns} schedules)`, async () => {
    await fc.assert(faulty(parts), { numRuns, ...seed });
  });

  it("never lets a number of a lying worker count where every block is audited", async () => {
    await fc.assert(lying(parts), { numRuns: Math.ceil(numRuns / 10), ...seed });
  });
});
