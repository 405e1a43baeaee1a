// The masks of `plume edit inpaint`: by name, as a picture, or as an array. 1 is painted, 0 is kept.

import { readFileSync, statSync } from "node:fs";
import { IMAGE } from "../../../../shared/data/decode.ts";
import { decodeNpy } from "../../../../shared/data/npy.ts";
import { areaMask, isArea, MASK_NAMES, randomMask } from "../../../../shared/editing/masks.ts";
import { PlumeError } from "../../../../shared/errors.ts";
import { greyPicture } from "./pictures.ts";
import type { Scene } from "./task.ts";

export const MASK_USAGE = `what is painted: ${MASK_NAMES.join(" | ")}, a picture (white is painted), or a .npy file [height, width] or [n, height, width] (not 0 is painted)`;

/** @returns uint8 [n, height, width]. @throws PlumeError naming the mask, what it is, and what it must be. */
export async function readMasks(mask: string, scene: Scene): Promise<Uint8Array> {
  const masks = await masksOf(mask, scene);
  const size = scene.image.height * scene.image.width;
  const painted = masks.map((value) => Number(value !== 0));
  for (let from = 0; from < painted.length; from += size) checkCover(mask, painted.subarray(from, from + size));
  return painted;
}

async function masksOf(mask: string, scene: Scene): Promise<Uint8Array> {
  if (isArea(mask)) return forAll(areaMask(mask, scene.image), scene);
  if (mask === "random" || mask.startsWith("random:")) return randomMasks(mask, scene);
  if (!statSync(mask, { throwIfNoEntry: false })?.isFile())
    throw wrong(
      "NOT_FOUND",
      mask,
      "is no mask by name, and there is no such file",
      `use one of ${MASK_NAMES.join(", ")}`,
    );
  if (mask.endsWith(".npy")) return fromArray(mask, scene);
  if (!IMAGE.test(mask)) throw wrong("INVALID_ARGUMENT", mask, "is neither a picture nor a .npy file", "give a .png");
  const { height, width } = scene.image;
  const picture = await greyPicture(`--mask ${mask}`, readFileSync(mask));
  if (picture.height !== height || picture.width !== width)
    throw otherShape(mask, `is ${picture.width}x${picture.height}`, scene);
  return forAll(
    picture.pixels.map((value) => Number(value >= 128)),
    scene,
  );
}

const wrong = (code: "NOT_FOUND" | "INVALID_ARGUMENT", mask: string, why: string, remedy: string) =>
  new PlumeError(code, `--mask ${mask} ${why}`, { remedy });

const countOf = ({ subjects }: Scene): number => subjects.keys.length;

function forAll(mask: Uint8Array, scene: Scene): Uint8Array {
  const all = new Uint8Array(mask.length * countOf(scene));
  for (let from = 0; from < all.length; from += mask.length) all.set(mask, from);
  return all;
}

function randomMasks(mask: string, { image, sampling, subjects }: Scene): Uint8Array {
  const share = mask === "random" ? 0.5 : Number(mask.slice("random:".length));
  if (!(share > 0 && share < 1))
    throw wrong("INVALID_ARGUMENT", mask, "has no share in (0, 1)", "for example --mask random:0.5");
  return new Uint8Array(Buffer.concat(subjects.keys.map((key) => randomMask(share, image, sampling.seed, key))));
}

function fromArray(mask: string, scene: Scene): Uint8Array {
  const { height, width } = scene.image;
  const broken = (why: string) =>
    wrong("INVALID_ARGUMENT", mask, `cannot be read: ${why}`, "write uint8 or bool by np.save");
  const { descr, shape, values } = decodeNpy(readFileSync(mask), broken);
  if (descr !== "|u1" && descr !== "|b1") throw broken(`its values are ${descr}`);
  const [h, w] = shape.slice(-2);
  const n = shape.length === 3 ? shape[0]! : 1;
  const isAnother = h !== height || w !== width || (n !== 1 && n !== countOf(scene));
  if (shape.length < 2 || shape.length > 3 || isAnother || values.length !== n * height * width)
    throw otherShape(mask, `is [${shape.join(", ")}]`, scene);
  return n === 1 ? forAll(values, scene) : values;
}

const otherShape = (mask: string, is: string, scene: Scene) => {
  const { height, width } = scene.image;
  return wrong(
    "INVALID_ARGUMENT",
    mask,
    `${is}, the ${countOf(scene)} images are ${width}x${height}`,
    `make it ${width}x${height}, one for all images or one each`,
  );
};

function checkCover(mask: string, painted: Uint8Array): void {
  const covered = painted.reduce((sum, value) => sum + value, 0);
  if (covered === 0)
    throw wrong("INVALID_ARGUMENT", mask, "covers nothing", "cover what is to be painted: white, or not 0");
  if (covered === painted.length)
    throw wrong("INVALID_ARGUMENT", mask, "covers everything", "leave something to be kept, or use plume sample");
}
