// Branded ids, minted at the edge (command line, RPC), so that one is never passed for another.

declare const brand: unique symbol;
type Branded<Name extends string> = string & { readonly [brand]: Name };

export type JobId = Branded<"JobId">;
export type WorkerId = Branded<"WorkerId">;

export const jobId = (text: string): JobId => text as JobId;
export const workerId = (text: string): WorkerId => text as WorkerId;
