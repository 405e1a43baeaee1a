// Captioned scenes of one or two things: pictures that a small grammar describes, drawn by a program (shared/scenes).

import { PlumeError } from "../../errors.ts";
import { drawThings } from "../../scenes/draw.ts";
import { type SceneSplit, sceneOf } from "../../scenes/scene.ts";
import type { ImageSet } from "../image-set.ts";
import { memorySet } from "../memory-set.ts";
import { countOf } from "./drawn.ts";
import type { Source } from "./source.ts";

const USUAL = 8192;
/** Below it small things have no shape. */
const LEAST_SIDE = 16;

/** The splits that nothing is trained on. */
export const SCENES_HELD_OUT = ["test", "held-out"] as const;

/** Before the count: pairs of colour and shape that no other picture has. */
const HELD_OUT = "held-out";

export const captions: Source = {
  usage: "captions:[COUNT]",
  about:
    "coloured shapes and what a caption says of them; captions:held-out:[COUNT] has pairs that no other has; needs no file",
  captioned: true,
  scenes: true,
  async open(argument, { imageSize, split }) {
    const [, heldOut, count] = /^(held-out(?::|$))?(.*)$/.exec(argument)!;
    return openScenes(countOf("captions", count!, USUAL), imageSize, heldOut === undefined ? split : HELD_OUT);
  },
};

/** @throws PlumeError INVALID_ARGUMENT for pictures that are too small. */
export function openScenes(count: number, side: number, split: SceneSplit): ImageSet {
  if (side < LEAST_SIDE)
    throw new PlumeError("INVALID_ARGUMENT", `data.imageSize ${side} is too small for the shapes of captions:`, {
      remedy: `use ${LEAST_SIDE} or more`,
    });
  const size = side * side * 3;
  const pixels = new Uint8Array(count * size);
  const scenes = Array.from({ length: count }, (_, id) => {
    const { things, caption } = sceneOf(id, split);
    drawThings(pixels.subarray(id * size, (id + 1) * size), things, side);
    return caption;
  });
  return memorySet({
    name: split === HELD_OUT ? `captions:${HELD_OUT}:${count}` : `captions:${count}`,
    ...{ pixels, labels: null, height: side, width: side, channels: 3, classes: [] },
    captions: scenes,
  });
}
