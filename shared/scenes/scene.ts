// Scenes, and the captions that say what is in them.

import { PlumeError } from "../errors.ts";
import { PURPOSE, uniforms } from "../rng/stream.ts";
import {
  CENTRES,
  COLOURS,
  type Colour,
  PLACES,
  type Place,
  RELATIONS,
  type Relation,
  SHAPES,
  type Shape,
  SIZES,
  type Size,
  UNITS,
  wordsOf,
} from "./words.ts";

export interface Thing {
  readonly size: Size;
  readonly colour: Colour;
  readonly shape: Shape;
  /** Of its middle, in units. */
  readonly x: number;
  readonly y: number;
}

/** What a caption says. */
export interface Described {
  readonly things: readonly { readonly size?: Size | undefined; readonly colour: Colour; readonly shape: Shape }[];
  /** Of the one thing. */
  readonly place?: Place | undefined;
  /** Of the first of two to the second. */
  readonly relation?: Relation | undefined;
}

export interface Scene {
  readonly things: readonly Thing[];
  readonly caption: string;
}

const SCENE_SPLITS = ["train", "test", "held-out"] as const;
export type SceneSplit = (typeof SCENE_SPLITS)[number];

type Pair = readonly [Colour, Shape];

/** Never seen in training: each shape and each colour of them is, in other pairs. */
const HELD_OUT: readonly Pair[] = [
  ["red", "circle"],
  ["yellow", "square"],
  ["green", "triangle"],
  ["purple", "cross"],
];

export const isHeldOut = ({ colour, shape }: Pick<Thing, "colour" | "shape">): boolean =>
  HELD_OUT.some(([c, s]) => c === colour && s === shape);

const ALL: readonly Pair[] = COLOURS.flatMap((colour) => SHAPES.map((shape): Pair => [colour, shape]));
const SEEN = ALL.filter(([colour, shape]) => !isHeldOut({ colour, shape }));

/** Shares of captions. */
const [TWO_THINGS, SAYS_SIZE, SAYS_PLACE] = [0.5, 0.75, 0.75];
/** How far a middle may be from where it belongs, in units; of two things along the line between them, and across. */
const [JITTER, ALONG, ACROSS] = [2, 1, 3];

/** A function of the id and its split alone. */
export function sceneOf(id: number, split: SceneSplit): Scene {
  const step = 2 + SCENE_SPLITS.indexOf(split); // the shapes of other sources have 0 and 1
  const numbers = uniforms({ seed: 0, purpose: PURPOSE.shapes, step, index: id }, 20)[Symbol.iterator]();
  const u = (): number => numbers.next().value!;
  const pick = <T>(of: readonly T[]): T => of[Math.floor(u() * of.length)]!;
  const around = (centre: number, most: number) => centre - most + Math.floor(u() * (2 * most + 1));
  const count = u() < TWO_THINGS ? 2 : 1;
  const odd = Math.floor(u() * count);
  const looks = Array.from({ length: count }, (_, i) => {
    const [colour, shape] = pick(split !== "held-out" ? SEEN : i === odd ? HELD_OUT : ALL);
    return { size: pick(SIZES), colour, shape };
  });
  const said = looks.map(({ size, ...look }) => ({ size: u() < SAYS_SIZE ? size : undefined, ...look }));
  if (count === 1) {
    const place = pick(PLACES);
    const [x, y] = CENTRES[place];
    const things = [{ ...looks[0]!, x: around(x, JITTER), y: around(y, JITTER) }];
    return { things, caption: captionOf({ things: said, place: u() < SAYS_PLACE ? place : undefined }) };
  }
  const relation = pick(RELATIONS);
  const first = relation === "left of" || relation === "above" ? 0 : 1;
  const sideways = relation === "left of" || relation === "right of";
  const things = looks.map((look, i) => {
    const [along, across] = [around(i === first ? UNITS / 4 : (3 * UNITS) / 4, ALONG), around(UNITS / 2, ACROSS)];
    return { ...look, ...(sideways ? { x: along, y: across } : { x: across, y: along }) };
  });
  return { things, caption: captionOf({ things: said, relation }) };
}

export function captionOf({ things, place, relation }: Described): string {
  const phrases = things.map(({ size, colour, shape }) => [size, colour, shape].filter(Boolean).join(" "));
  return phrases.length === 1 ? [phrases[0], place].filter(Boolean).join(" ") : phrases.join(` ${relation} `);
}

/** What a caption says, or whoever wrote it. @throws PlumeError INVALID_ARGUMENT for what the grammar does not have. */
export function describedBy(caption: string): Described {
  const rest = wordsOf(caption);
  const taken = <T extends string>(of: readonly T[]): T | undefined => {
    const found = of.find((phrase) => rest.slice(0, phrase.split(" ").length).join(" ") === phrase);
    if (found !== undefined) rest.splice(0, found.split(" ").length);
    return found;
  };
  const thing = () => {
    const [size, colour, shape] = [taken(SIZES), taken(COLOURS), taken(SHAPES)];
    if (colour === undefined || shape === undefined) throw notInGrammar(caption);
    return { size, colour, shape };
  };
  const first = thing();
  const relation = taken(RELATIONS);
  const things = relation === undefined ? [first] : [first, thing()];
  const place = relation === undefined ? taken(PLACES) : undefined;
  if (rest.length > 0) throw notInGrammar(caption);
  return { things, place, relation };
}

const notInGrammar = (caption: string) =>
  new PlumeError("INVALID_ARGUMENT", `the caption "${caption}" is not in the grammar`, {
    remedy: 'for example "large red square top left", "blue cross", "small white circle above large green square"',
  });
