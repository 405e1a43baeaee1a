// EDM's non-leaking augmentation (Karras et al. 2022, App. F.2 and Table 6): each of its changes is made with a chance of its
// own, and the network is told of all of them, so that without any it draws what was not changed.

import { exactCos, exactPow, exactSin } from "../rng/exact-math.ts";
import { normals, type StreamKey, uniforms } from "../rng/stream.ts";
import { mirror, type Plane, upend } from "./mirror.ts";
import { type Affine, compose, warp } from "./warp.ts";

/** What is done to an image; 0 and false for what is not. */
export interface Augmentation {
  readonly flipX: boolean;
  readonly flipY: boolean;
  /** Its size becomes 2^(0.2 scale) times as large. */
  readonly scale: number;
  /** It is turned so far, in radians, counter-clockwise. */
  readonly angle: number;
  /** It becomes 2^(0.2 stretch) times as long along the axis at stretchAngle, and as much shorter across it. */
  readonly stretch: number;
  readonly stretchAngle: number;
  /** It is moved by an eighth of its width and height times these, to the right and downwards. */
  readonly shiftX: number;
  readonly shiftY: number;
}

/** How many numbers tell a network of an augmentation. */
export const AUGMENT_LABELS = 9;

/** Log2 of a standard deviation of sizes, and that of shifts as a share of the image. */
const SCALE_STD = 0.2;
const SHIFT_STD = 0.125;

/** Words of the stream that an image has for itself. */
const WORDS = 16;

/** Of image i of a micro-batch. @param p chance of each change but the mirror, which is made of half of them. */
export function drawAugmentation(key: StreamKey, i: number, p: number): Augmentation {
  const w = normals(key, 4, WORDS * i);
  const u = uniforms(key, WORDS - 4, WORDS * i + 4);
  const drawn = (chance: number, value: number): number => (chance < p ? value : 0);
  return {
    flipX: u[0]! < 0.5,
    flipY: u[1]! < p && u[2]! < 0.5,
    scale: drawn(u[3]!, w[0]!),
    angle: drawn(u[4]!, angleOf(u[5]!)),
    stretch: drawn(u[6]!, w[1]!),
    stretchAngle: u[7]! < 0.5 ? angleOf(u[8]!) : 0,
    shiftX: drawn(u[9]!, w[2]!),
    shiftY: drawn(u[9]!, w[3]!),
  };
}

const angleOf = (u: number): number => (2 * u - 1) * Math.PI;

/** As many as AUGMENT_LABELS: what a network is told; all 0 for an image as it is. */
export const augmentLabels = (change: Augmentation): number[] => [
  Number(change.flipX),
  Number(change.flipY),
  change.scale,
  exactCos(change.angle) - 1,
  exactSin(change.angle),
  change.stretch * exactCos(change.stretchAngle),
  change.stretch * exactSin(change.stretchAngle),
  change.shiftX,
  change.shiftY,
];

/** In place. @param image float32 [H, W, C]. */
export function augment(image: Float32Array, plane: Plane, change: Augmentation): void {
  if (change.flipX) mirror(image, plane);
  if (change.flipY) upend(image, plane);
  const { scale, angle, stretch, shiftX, shiftY } = change;
  if ([scale, angle, stretch, shiftX, shiftY].some((each) => each !== 0)) warp(image, plane, backOf(change, plane));
}

/** Unlike EDM's, that of an image does not depend on how far the others of its batch reach. */
function backOf({ scale, angle, stretch, stretchAngle, shiftX, shiftY }: Augmentation, plane: Plane): Affine {
  const size = exactPow(2, SCALE_STD * scale);
  const length = exactPow(2, SCALE_STD * stretch);
  return [
    scaled(1 / size, 1 / size),
    turned(angle),
    turned(-stretchAngle),
    scaled(1 / length, length),
    turned(stretchAngle),
    moved(-shiftX * SHIFT_STD * plane.width, -shiftY * SHIFT_STD * plane.height),
  ].reduce(compose);
}

const scaled = (x: number, y: number): Affine => [x, 0, 0, 0, y, 0];
const moved = (x: number, y: number): Affine => [1, 0, x, 0, 1, y];
const turned = (angle: number): Affine => {
  const [cos, sin] = [exactCos(angle), exactSin(angle)];
  return [cos, -sin, 0, sin, cos, 0];
};
