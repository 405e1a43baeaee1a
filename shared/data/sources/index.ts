// The table of data sources: the word before the colon of data.source.

import { captions } from "./captions.ts";
import { cifar } from "./cifar.ts";
import { fashionMnist } from "./fashion-mnist.ts";
import { gaussianGrid } from "./gaussian-grid.ts";
import { heartbeat } from "./heartbeat.ts";
import { idx } from "./idx.ts";
import { images } from "./images.ts";
import { npz } from "./npz.ts";
import { parquet } from "./parquet.ts";
import { s3 } from "./s3.ts";
import { shapes } from "./shapes.ts";
import type { Source } from "./source.ts";
import { swissRoll } from "./swiss-roll.ts";
import { wds } from "./wds.ts";

export const SOURCES: Readonly<Record<string, Source>> = {
  "fashion-mnist": fashionMnist,
  shapes,
  captions,
  "swiss-roll": swissRoll,
  "gaussian-grid": gaussianGrid,
  heartbeat,
  idx,
  cifar,
  images,
  npz,
  s3,
  wds,
  parquet,
};

/** Sources whose captions are of scenes, of few words. */
export const SCENES = Object.keys(SOURCES).filter((name) => SOURCES[name]!.scenes);

/** @param source a job's data.source. */
export const isOfScenes = (source: string): boolean => SCENES.includes(source.split(":")[0]!);
