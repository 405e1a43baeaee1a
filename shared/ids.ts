// Branded ids, minted at the edge (command line, RPC), so that one is never passed for another.

declare const brand: unique symbol;
export type WorkerId = string & { readonly [brand]: "WorkerId" };

export const workerId = (text: string): WorkerId => text as WorkerId;
