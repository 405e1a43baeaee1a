/** Builds the page in memory, in some tens of milliseconds. */
export function pageFiles(): Promise<readonly { readonly name: string; readonly contents: Uint8Array }[]>;
