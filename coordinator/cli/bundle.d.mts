/**
 * @param more other entry points by name, and the folders that they are made of.
 * @returns the folder that holds one .mjs an entry point.
 */
export function bundled(more?: Readonly<Record<string, string>>, sources?: readonly string[]): Promise<string>;
