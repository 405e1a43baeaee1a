// Whether pictures show what their captions say.

import { type Described, describedBy, type Thing } from "../scenes/scene.ts";
import { CENTRES, PLACES, type Place, type Relation } from "../scenes/words.ts";
import { meanOf } from "../spread.ts";
import { createSeeing } from "./seen-things.ts";

export interface Match {
  /** Everything that the caption says is so, and nothing else is in the picture. */
  readonly exact: boolean;
  /** Share of what it says that is so: how many things, and of each its shape and colour and what else is said. */
  readonly share: number;
}

/** Of a set: means. */
export interface CaptionScore {
  readonly exact: number;
  readonly share: number;
}

/** @param pixels uint8 [n, side, side, 3]. @param captions of the grammar, one a picture. */
export function scoreCaptions(pixels: Uint8Array, captions: readonly string[], side: number): CaptionScore {
  const see = createSeeing(side);
  const size = side * side * 3;
  const matches = captions.map((caption, i) =>
    match(describedBy(caption), see(pixels.subarray(i * size, (i + 1) * size))),
  );
  return {
    exact: meanOf(matches.map(({ exact }) => Number(exact))),
    share: meanOf(matches.map(({ share }) => share)),
  };
}

/** Every picture with the caption of the next: what pictures score that know nothing of their captions. */
export const shuffledCaptions = (captions: readonly string[]): string[] =>
  captions.map((_, i) => captions[(i + 1) % captions.length]!);

/** By whichever of the things seen are meant, so that most is so. */
export function match(described: Described, seen: readonly Thing[]): Match {
  const claims = assignments(seen, described.things.length).map((meant) => claimsOf(described, meant, seen.length));
  const share = Math.max(...claims.map((each) => each.filter(Boolean).length / each.length));
  return { exact: share === 1, share };
}

type Meant = readonly (Thing | undefined)[];

/** Things seen in the order of those said; undefined where there are too few. */
function assignments(seen: readonly Thing[], count: number): Meant[] {
  const some: Meant = [...seen, ...Array<undefined>(Math.max(0, count - seen.length)).fill(undefined)];
  if (count === 1) return some.map((thing) => [thing]);
  return some.flatMap((a, i) => some.flatMap((b, j) => (i === j ? [] : [[a, b]])));
}

function claimsOf({ things, place, relation }: Described, meant: Meant, count: number): boolean[] {
  return [
    count === things.length,
    ...things.flatMap(({ size, colour, shape }, i) => [
      meant[i]?.shape === shape,
      meant[i]?.colour === colour,
      ...(size === undefined ? [] : [meant[i]?.size === size]),
    ]),
    ...(place === undefined ? [] : [placeOf(meant[0]) === place]),
    ...(relation === undefined ? [] : [relationOf(meant[0], meant[1]) === relation]),
  ];
}

/** How far from a place a middle still is at it, along either axis: halfway to the center. */
const NEAR = 3.5;

const placeOf = (thing: Thing | undefined): Place | undefined =>
  thing &&
  PLACES.find((place) => {
    const [x, y] = CENTRES[place];
    return Math.abs(thing.x - x) <= NEAR && Math.abs(thing.y - y) <= NEAR;
  });

function relationOf(a: Thing | undefined, b: Thing | undefined): Relation | undefined {
  if (!a || !b) return undefined;
  const [dx, dy] = [b.x - a.x, b.y - a.y];
  if (Math.abs(dx) > Math.abs(dy)) return dx > 0 ? "left of" : "right of";
  return dy > 0 ? "above" : "below";
}
