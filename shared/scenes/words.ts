// The words of the grammar, and what they mean.

export const SIZES = ["small", "large"] as const;
export const COLOURS = ["red", "green", "blue", "yellow", "purple", "white"] as const;
export const SHAPES = ["circle", "square", "triangle", "cross"] as const;
export const PLACES = ["top left", "top right", "bottom left", "bottom right", "center"] as const;
export const RELATIONS = ["left of", "right of", "above", "below"] as const;

export type Size = (typeof SIZES)[number];
export type Colour = (typeof COLOURS)[number];
export type Shape = (typeof SHAPES)[number];
export type Place = (typeof PLACES)[number];
export type Relation = (typeof RELATIONS)[number];

/** On black. */
export const RGB: Readonly<Record<Colour, readonly [number, number, number]>> = {
  red: [230, 40, 40],
  green: [40, 190, 60],
  blue: [60, 90, 240],
  yellow: [240, 220, 50],
  purple: [200, 60, 220],
  white: [240, 240, 240],
};

/** Of the picture's side. */
export const UNITS = 32;

/** Half of a thing's width, in units. */
export const HALF: Readonly<Record<Size, number>> = { small: 4.5, large: 7 };

/** Where the middle of a thing is, in units. */
export const CENTRES: Readonly<Record<Place, readonly [x: number, y: number]>> = {
  "top left": [9, 9],
  "top right": [23, 9],
  "bottom left": [9, 23],
  "bottom right": [23, 23],
  center: [16, 16],
};

/** What is written to no purpose: "a large red square" is "large red square". */
const ARTICLES: readonly string[] = ["a", "an", "the"];

/** Every word of a caption, in a fixed order. */
export const WORDS: readonly string[] = [
  ...new Set([...SIZES, ...COLOURS, ...SHAPES, ...[...PLACES, ...RELATIONS].flatMap((phrase) => phrase.split(" "))]),
];

/** Words of the longest caption: two things of three, and two between them. */
export const MOST_WORDS = 8;

/** Lower case, without articles and what stands between words. */
export const wordsOf = (text: string): string[] =>
  text
    .toLowerCase()
    .split(/[^\p{L}\p{N}-]+/u)
    .filter((word) => word !== "" && !ARTICLES.includes(word));
