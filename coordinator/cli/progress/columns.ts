// Text as a terminal lays it out: how many columns it takes, and what of it fits into so many.

const GRAPHEMES = new Intl.Segmenter(undefined, { granularity: "grapheme" });
const NARROW_KANA = /[\uff61-\uff9f]/u;
const WIDE =
  /\p{Script=Han}|\p{Script=Hiragana}|\p{Script=Katakana}|\p{Script=Hangul}|\p{Emoji_Presentation}|[\u3000-\u303e\uff01-\uff60\uffe0-\uffe6]|\ufe0f/u;
const NOTHING = /^[\p{M}\p{Cf}]+$/u;

/** Without line ends, escapes and other control characters: what came from elsewhere must not steer the terminal. */
export const plain = (text: string): string => text.replace(/\p{Cc}+/gu, " ");

function columnsOfGrapheme(grapheme: string): number {
  if (NOTHING.test(grapheme)) return 0;
  return WIDE.test(grapheme) && !NARROW_KANA.test(grapheme) ? 2 : 1;
}

/** Columns that plain text takes. */
export function columnsOf(text: string): number {
  let columns = 0;
  for (const { segment } of GRAPHEMES.segment(text)) columns += columnsOfGrapheme(segment);
  return columns;
}

/** The longest beginning that fits, with `mark` in the place of what does not. */
export function clip(text: string, columns: number, mark = ""): string {
  if (columnsOf(text) <= columns) return text;
  let room = columns - columnsOf(mark);
  if (room < 0) return "";
  let kept = "";
  for (const { segment } of GRAPHEMES.segment(text)) {
    room -= columnsOfGrapheme(segment);
    if (room < 0) break;
    kept += segment;
  }
  return kept + mark;
}

export const padEnd = (text: string, columns: number): string =>
  text + " ".repeat(Math.max(0, columns - columnsOf(text)));

export const padStart = (text: string, columns: number): string =>
  " ".repeat(Math.max(0, columns - columnsOf(text))) + text;
