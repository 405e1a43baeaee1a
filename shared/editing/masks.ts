// Masks by name: 1 where an image is to be painted anew, 0 where it is kept, uint8 [H, W].

import { PURPOSE, uniforms } from "../rng/stream.ts";

interface Sides {
  readonly height: number;
  readonly width: number;
}

/** Whether a pixel is painted, from its centre as a share of the sides. */
const AREAS: Readonly<Record<string, (x: number, y: number) => boolean>> = {
  center: (x, y) => Math.abs(x - 0.5) < 0.25 && Math.abs(y - 0.5) < 0.25,
  left: (x) => x < 0.5,
  right: (x) => x > 0.5,
  top: (_x, y) => y < 0.5,
  bottom: (_x, y) => y > 0.5,
};

export const MASK_NAMES = [...Object.keys(AREAS), "random:SHARE"] as const;

export const isArea = (name: string): boolean => Object.hasOwn(AREAS, name);

export function areaMask(name: string, { height, width }: Sides): Uint8Array {
  const isIn = AREAS[name]!;
  return Uint8Array.from({ length: height * width }, (_, k) =>
    Number(isIn(((k % width) + 0.5) / width, (Math.floor(k / width) + 0.5) / height)),
  );
}

/** Each pixel by itself. @param share of the pixels that are painted. @param key of the image. */
export const randomMask = (share: number, { height, width }: Sides, seed: number, key: number): Uint8Array =>
  Uint8Array.from(uniforms({ seed, purpose: PURPOSE.editMask, step: 0, index: key }, height * width), (u) =>
    Number(u < share),
  );
