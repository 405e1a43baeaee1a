// Lines as spans with a tone, and how tones and signs look on this terminal.

import { clip, columnsOf } from "./columns.ts";

export type Tone = "plain" | "strong" | "dim" | "good" | "warn" | "bad";

export interface Span {
  /** Without control characters. */
  readonly text: string;
  readonly tone: Tone;
}

export type Line = readonly Span[];

/** What a terminal can show. */
export interface Look {
  readonly colour: boolean;
  /** Signs beyond ASCII. */
  readonly unicode: boolean;
}

type Environment = Readonly<Record<string, string | undefined>>;

/** NO_COLOR (no-color.org) and FORCE_COLOR, of which the latter wins, as in Node. */
export function lookOf(isTerminal: boolean, env: Environment): Look {
  const { FORCE_COLOR: force, NO_COLOR: no, TERM: term } = env;
  const unicode = term !== "linux" && term !== "dumb";
  if (force !== undefined) return { colour: force !== "0" && force !== "false", unicode };
  return { colour: isTerminal && !no && term !== "dumb", unicode };
}

/** Can a picture be renewed in place? */
export const isLive = (isTerminal: boolean, { TERM: term }: Environment): boolean => isTerminal && term !== "dumb";

const SGR: Readonly<Record<Tone, string>> = { plain: "", strong: "1", dim: "2", good: "32", warn: "33", bad: "31" };

export const span = (text: string, tone: Tone = "plain"): Span => ({ text, tone });

export function paint(line: Line, { colour }: Look): string {
  const painted = ({ text, tone }: Span) => (colour && SGR[tone] ? `\u001b[${SGR[tone]}m${text}\u001b[0m` : text);
  return line.map(painted).join("");
}

export const lineColumns = (line: Line): number => line.reduce((sum, { text }) => sum + columnsOf(text), 0);

/** What fits of a line, with a sign where it was cut. */
export function clipLine(line: Line, columns: number, { unicode }: Look): Line {
  if (lineColumns(line) <= columns) return line;
  const mark = unicode ? "…" : ">";
  const kept: Span[] = [];
  let room = columns - 1;
  for (const { text, tone } of line) {
    const fits = clip(text, room);
    kept.push(span(fits, tone));
    room -= columnsOf(fits);
    if (fits !== text) break;
  }
  return columns > 0 ? [...kept, span(mark, "dim")] : [];
}
