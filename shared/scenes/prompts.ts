// What a run's sample grid is asked for: a column each. The last two are of pairs that no picture of training has.

export const PROMPTS: readonly string[] = [
  "large red square top left",
  "small blue circle bottom right",
  "large yellow triangle center",
  "small white cross top right",
  "small blue circle left of large red square",
  "large white triangle above small green cross",
  "large red circle center",
  "large purple cross right of small yellow square",
];

/** Of images of the endless grid: all in turn. */
export const promptsOf = (indices: readonly number[]): string[] => indices.map((k) => PROMPTS[k % PROMPTS.length]!);
