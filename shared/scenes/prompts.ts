// What a run's sample grid is asked for where its job says nothing else: a column each. The last two are of pairs that no picture of training has.

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

/** Of images of an endless grid: all prompts in turn. */
export const inTurn = (prompts: readonly string[], indices: readonly number[]): string[] =>
  indices.map((k) => prompts[k % prompts.length]!);
