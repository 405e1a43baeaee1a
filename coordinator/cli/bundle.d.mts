import type { BuildOptions, BuildResult } from "esbuild";

/**
 * @param more other entry points by name, and the folders that they are made of.
 * @returns the folder that holds one .mjs an entry point.
 */
export function bundled(more?: Readonly<Record<string, string>>, sources?: readonly string[]): Promise<string>;

/** Entry points by the names that shared/root.ts finds them by. */
export const ENTRIES: Readonly<Record<string, string>>;

export function writeBundle(
  folder: string,
  entryPoints: Readonly<Record<string, string>>,
  options?: BuildOptions,
): Promise<BuildResult>;
