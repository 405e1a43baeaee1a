import { describe, expect, it } from "vitest";
import { type Augmentation, augment, augmentLabels, drawAugmentation } from "../../shared/augmentation/augment.ts";
import { PURPOSE } from "../../shared/rng/stream.ts";

const key = (step = 0) => ({ seed: 3, purpose: PURPOSE.augment, step, index: 1 });
const NOTHING: Augmentation = {
  ...{ flipX: false, flipY: false, scale: 0, angle: 0, stretch: 0, stretchAngle: 0, shiftX: 0, shiftY: 0 },
};

type At = (y: number, x: number, c: number) => number;

function imageOf(height: number, width: number, channels: number, at: At): Float32Array {
  const image = new Float32Array(height * width * channels);
  for (let k = 0; k < image.length; k++) {
    const pixel = Math.floor(k / channels);
    image[k] = at(Math.floor(pixel / width), pixel % width, k % channels);
  }
  return image;
}

const SIDE = 24;
const PLANE = { height: SIDE, width: SIDE, channels: 1 };
/** A smooth spot, as wide and high as it is told, around a point from the centre. */
const spot = (right: number, down: number, wide = 2.5, high = 2.5) =>
  imageOf(SIDE, SIDE, 1, (y, x) => {
    const [u, v] = [x - (SIDE - 1) / 2 - right, y - (SIDE - 1) / 2 - down];
    return Math.exp(-((u / wide) ** 2 + (v / high) ** 2) / 2);
  });

const changed = (image: Float32Array, change: Partial<Augmentation>, plane = PLANE): Float32Array => {
  const copy = image.slice();
  augment(copy, plane, { ...NOTHING, ...change });
  return copy;
};

const apart = (a: Float32Array, b: Float32Array): number =>
  a.reduce((most, value, k) => Math.max(most, Math.abs(value - b[k]!)), 0);

describe("an augmented image", () => {
  it("is the image itself where nothing is done, and its mirror where only that is", () => {
    const image = imageOf(3, 4, 2, (y, x, c) => 100 * y + 10 * x + c);
    const plane = { height: 3, width: 4, channels: 2 };
    expect(changed(image, {}, plane)).toEqual(image);
    expect(changed(image, { flipX: true }, plane)).toEqual(imageOf(3, 4, 2, (y, x, c) => 100 * y + 10 * (3 - x) + c));
    expect(changed(image, { flipY: true }, plane)).toEqual(imageOf(3, 4, 2, (y, x, c) => 100 * (2 - y) + 10 * x + c));
  });

  it.each<[string, Partial<Augmentation>, Float32Array, Float32Array]>([
    ["moved to the right and downwards", { shiftX: 1, shiftY: -0.5 }, spot(0, 0), spot(3, -1.5)],
    ["turned by a quarter, counter-clockwise", { angle: Math.PI / 2 }, spot(5, 0, 1.5, 3), spot(0, -5, 3, 1.5)],
    ["larger about its centre", { scale: 2.5 }, spot(2, 1, 2, 2), spot(2 * Math.SQRT2, Math.SQRT2, 2.83, 2.83)],
    ["longer and thinner", { stretch: 2.5 }, spot(0, 0, 2.5, 2.5), spot(0, 0, 2.5 * Math.SQRT2, 2.5 / Math.SQRT2)],
    ["longer upwards", { stretch: 2.5, stretchAngle: Math.PI / 2 }, spot(0, 2), spot(0, 2.83, 1.77, 3.54)],
  ])("is %s", (_, change, image, expected) => {
    expect(apart(changed(image, change), expected)).toBeLessThan(0.04);
    expect(apart(image, expected)).toBeGreaterThan(0.2);
  });

  it("keeps an even brightness: what comes in over its edges is its own mirror", () => {
    const grey = imageOf(SIDE, SIDE, 1, () => 0.5);
    expect(apart(changed(grey, { angle: 0.7, shiftX: 1, scale: -1, stretch: 1 }), grey)).toBeLessThan(1e-6);
  });

  it("is EDM's own, computed as its program does it: padded, stuffed with zeros, filtered, sampled, filtered, cropped", () => {
    const plane = { height: 6, width: 5, channels: 2 };
    const image = imageOf(6, 5, 2, (y, x, c) => Math.sin(3 * y + 5 * x + 7 * c));
    const change = { scale: 0.8, angle: 0.6, stretch: -0.9, stretchAngle: 1.1, shiftX: 0.5, shiftY: -0.7 };
    const found = changed(image, change, plane);
    const expected = imageOf(6, 5, 2, (y, x, c) => edm(image, plane, c, change)[y]![x]!);
    expect(apart(found, expected)).toBeLessThan(1e-6);
  });
});

describe("what is drawn", () => {
  const draws = (n: number, p: number) => Array.from({ length: n }, (_, i) => drawAugmentation(key(), i, p));

  it("is image i's by step, index and i alone", () => {
    expect(drawAugmentation(key(), 5, 0.5)).toEqual(draws(9, 0.5)[5]);
    expect(drawAugmentation(key(1), 5, 0.5)).not.toEqual(draws(9, 0.5)[5]);
  });

  it("is each change with its chance, the mirror with a half, and the network is told of no other", () => {
    const n = 4000;
    const labels = draws(n, 0.12).map(augmentLabels);
    const shares = labels[0]!.map((_, k) => labels.filter((told) => told[k] !== 0).length / n);
    const expected = [0.5, 0.06, 0.12, 0.12, 0.12, 0.12, 0.06, 0.12, 0.12];
    shares.forEach((share, k) => {
      expect(Math.abs(share - expected[k]!), `label ${k}`).toBeLessThan(4 * Math.sqrt(0.25 / n));
    });
    expect(augmentLabels(NOTHING).every((told) => Math.abs(told) === 0)).toBe(true);
  });
});

// EDM's program, word by word: matrices of homogeneous coordinates, every padded sample there.

const HZ = [
  0.015404109327027373, 0.0034907120842174702, -0.11799011114819057, -0.048311742585633, 0.4910559419267466,
  0.787641141030194, 0.3379294217276218, -0.07263752278646252, -0.021060292512300564, 0.04472490177066578,
  0.0017677118642428036, -0.007800708325034148,
];

type Rows = number[][];

const product = (a: Rows, b: Rows): Rows =>
  a.map((row) => b[0]!.map((_, j) => row.reduce((s, v, k) => s + v * b[k]![j]!, 0)));
const translate = (x: number, y: number): Rows => [
  [1, 0, x],
  [0, 1, y],
  [0, 0, 1],
];
const scale2d = (x: number, y: number): Rows => [
  [x, 0, 0],
  [0, y, 0],
  [0, 0, 1],
];
const rotate = (a: number): Rows => [
  [Math.cos(a), -Math.sin(a), 0],
  [Math.sin(a), Math.cos(a), 0],
  [0, 0, 1],
];
const transposed = (rows: Rows): Rows => rows[0]!.map((_, j) => rows.map((row) => row[j]!));

/** Of one row: padded with zeros, each step's sum of products. */
function correlate(row: number[], weights: number[], pad: number, stride: number): number[] {
  const padded = [...Array(pad).fill(0), ...row, ...Array(pad).fill(0)];
  const out = [];
  for (let k = 0; k + weights.length <= padded.length; k += stride)
    out.push(weights.reduce((sum, w, i) => sum + w * padded[k + i]!, 0));
  return out;
}

const stuffed = (row: number[]): number[] => row.flatMap((value) => [value, 0]).slice(0, -1);
const reflect = (row: number[]): number[] => [...row.slice(1).reverse(), ...row, ...row.slice(0, -1).reverse()];

function edm(
  image: Float32Array,
  { height, width, channels }: { height: number; width: number; channels: number },
  channel: number,
  change: Pick<Augmentation, "scale" | "angle" | "stretch" | "stretchAngle" | "shiftX" | "shiftY">,
): Rows {
  const plain = Array.from({ length: height }, (_, y) =>
    Array.from({ length: width }, (_, x) => image[(y * width + x) * channels + channel]!),
  );
  const [s, a] = [2 ** (0.2 * change.scale), 2 ** (0.2 * change.stretch)];
  const upRow = (row: number[]) => correlate(stuffed(row), [...HZ].reverse(), 6, 1);
  const padded = transposed(transposed(plain.map(reflect)).map(reflect));
  const up = transposed(transposed(padded.map(upRow)).map(upRow));
  const [outW, outH] = [(width + 6) * 2, (height + 6) * 2];
  const [inW, inH] = [up[0]!.length, up.length];
  const theta = [
    scale2d(2 / inW, 2 / inH),
    translate(-0.5, -0.5),
    scale2d(2, 2),
    scale2d(1 / s, 1 / s),
    rotate(change.angle),
    rotate(-change.stretchAngle),
    scale2d(1 / a, a),
    rotate(change.stretchAngle),
    translate(-change.shiftX * width * 0.125, -change.shiftY * height * 0.125),
    scale2d(0.5, 0.5),
    translate(0.5, 0.5),
    scale2d(outW / 2, outH / 2),
  ].reduce(product);
  const at = (y: number, x: number) => up[y]?.[x] ?? 0;
  const moved = Array.from({ length: outH }, (_, j) =>
    Array.from({ length: outW }, (_, i) => {
      const [x, y] = product(theta, [[(2 * i + 1) / outW - 1], [(2 * j + 1) / outH - 1], [1]]).flat() as [
        number,
        number,
      ];
      const [u, v] = [((x + 1) * inW - 1) / 2, ((y + 1) * inH - 1) / 2];
      const [l, t] = [Math.floor(u), Math.floor(v)];
      const along = (k: number) => at(k, l) * (1 - u + l) + at(k, l + 1) * (u - l);
      return along(t) * (1 - v + t) + along(t + 1) * (v - t);
    }),
  );
  const downRow = (row: number[]) => correlate(row, HZ, 5, 2).slice(3, -3);
  return transposed(transposed(moved.map(downRow)).map(downRow));
}
