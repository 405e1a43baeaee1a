/** Builds a page in memory, in some tens of milliseconds. */
export function pageFiles(page: "page" | "generate"): Promise<readonly { readonly name: string; readonly contents: Uint8Array }[]>;
