// Captions as numbers: one a word of the grammar, 0 where there is none. A caption that is dropped has none at all.

import { PlumeError } from "../errors.ts";
import { nearestWord } from "../nearest-word.ts";
import { MOST_WORDS, WORDS, wordsOf } from "./words.ts";

/** How many numbers there are. */
export const TOKENS = WORDS.length + 1;

/**
 * int32 [n * MOST_WORDS], caption by caption. Articles, capitals and what stands between words are nothing.
 * @param called what the captions are to whoever wrote them, such as a flag.
 * @throws PlumeError INVALID_ARGUMENT naming a word that is unknown, and the nearest that is not.
 */
export function tokensOf(captions: readonly string[], called = "the caption"): Int32Array {
  const tokens = new Int32Array(captions.length * MOST_WORDS);
  captions.forEach((caption, i) => tokens.set(checkedWords(caption, called).map(tokenOf), i * MOST_WORDS));
  return tokens;
}

const tokenOf = (word: string): number => WORDS.indexOf(word) + 1;

function checkedWords(caption: string, called: string): string[] {
  const words = wordsOf(caption);
  const subject = `${called} "${caption}"`;
  const odd = words.find((word) => !WORDS.includes(word));
  if (odd !== undefined) {
    const meant = nearestWord(odd, WORDS);
    throw refused(
      subject,
      `has the word ${odd}, which no caption has`,
      meant ? `did you mean ${meant}?` : `the words are ${WORDS.join(", ")}`,
    );
  }
  if (words.length === 0)
    throw refused(subject, "says nothing", 'say what the picture shows, for example "large red square top left"');
  if (words.length > MOST_WORDS)
    throw refused(subject, `has ${words.length} words`, `use at most ${MOST_WORDS}, not counting a, an and the`);
  return words;
}

const refused = (subject: string, what: string, remedy: string) =>
  new PlumeError("INVALID_ARGUMENT", `${subject} ${what}`, { remedy });
