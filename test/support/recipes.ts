// What the documents tell a person to type: the lines of their shell blocks, as commands with words.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { ROOT } from "../../shared/root.ts";

export interface RecipeLine {
  /** file:line */
  readonly at: string;
  /** Without its comment. */
  readonly text: string;
  /** It says that the tests run it. */
  readonly isRun: boolean;
  /** Of each command of a pipe, quotes resolved. */
  readonly commands: readonly (readonly string[])[];
}

const RUN = "✓";
/** A word: quoted parts and others, up to a space; or the sign of a pipe. */
const WORD = /(?:'[^']*'|"[^"]*"|\$\([^)]*\)|[^\s|'"])+|\|/g;

/** Of all blocks of a Markdown file, in their order. */
export function recipeLines(file: string): readonly RecipeLine[] {
  let inside = false;
  return readFileSync(join(ROOT, file), "utf8")
    .split("\n")
    .flatMap((line, index) => {
      if (line.startsWith("```")) {
        inside = line === "```sh";
        return [];
      }
      if (!inside || line.trim() === "" || line.startsWith("#")) return [];
      const [text, comment = ""] = line.split(/\s+#\s/, 2) as [string, string?];
      return [{ at: `${file}:${index + 1}`, text, isRun: comment.startsWith(RUN), commands: commandsOf(text) }];
    });
}

function commandsOf(text: string): readonly (readonly string[])[] {
  const commands: string[][] = [[]];
  for (const [word] of text.matchAll(WORD))
    if (word === "|") commands.push([]);
    else commands.at(-1)!.push(word.replaceAll(/'([^']*)'|"([^"]*)"/g, (_, single, double) => single ?? double));
  return commands;
}
