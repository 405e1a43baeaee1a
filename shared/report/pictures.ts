// The sample grids of a run, as images that fit into a page: evenly chosen, not larger than a screen, encoded again.

import { existsSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";

export interface Picture {
  readonly step: number;
  /** data: URL. */
  readonly url: string;
}

const MOST = 20;
const WIDEST = 1100;
const SMALLER = 480;
/** Bytes of all of them. */
const ROOM = 2_500_000;

/** What cannot be read is named in `faults`. */
export async function readPictures(folder: string, faults: string[]): Promise<Picture[]> {
  const chosen = evenly(listed(folder), MOST);
  const pictures: Picture[] = [];
  for (const { step, file } of chosen) {
    const bytes = await encode(file, ROOM / chosen.length).catch((error: Error) => {
      faults.push(`samples of step ${step} cannot be read: ${error.message}`);
      return null;
    });
    if (bytes) pictures.push({ step, url: urlOf(bytes) });
  }
  return pictures;
}

function listed(folder: string): { step: number; file: string }[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder)
    .flatMap((name) => {
      const step = /^step-(\d+)\.png$/.exec(name)?.[1];
      return step === undefined ? [] : [{ step: Number(step), file: join(folder, name) }];
    })
    .sort((a, b) => a.step - b.step);
}

/** The first, the last, and what lies evenly between. */
function evenly<T>(all: readonly T[], most: number): T[] {
  if (all.length <= most) return [...all];
  return Array.from({ length: most }, (_, k) => all[Math.round((k * (all.length - 1)) / (most - 1))]!);
}

/** A picture as a page has it: data: URL. */
export const pictureUrl = async (file: string): Promise<string> => urlOf(await encode(file, ROOM / MOST));

const urlOf = (webp: Buffer): string => `data:image/webp;base64,${webp.toString("base64")}`;

/** Without loss where that is small enough, else with as little as fits. */
async function encode(file: string, room: number): Promise<Buffer> {
  const { default: sharp } = await import("sharp"); // on demand, as in shared/data/picture.ts
  const image = sharp(file).resize({ width: WIDEST, withoutEnlargement: true });
  const fits = (bytes: number) => bytes * 1.34 <= room; // in base64
  // What is much larger as a PNG will be larger without loss as well.
  const lossless = fits(statSync(file).size / 4) ? await image.clone().webp({ lossless: true }).toBuffer() : null;
  if (lossless && fits(lossless.length)) return lossless;
  for (const quality of [85, 50, 20]) {
    const bytes = await image.clone().webp({ quality, effort: 2 }).toBuffer();
    if (fits(bytes.length)) return bytes;
  }
  return image.resize({ width: SMALLER, withoutEnlargement: true }).webp({ quality: 20, effort: 2 }).toBuffer();
}
