// Images as people see them, and as the network does.

import type { PatchShape } from "../data/patch.ts";

/** Shape of an image as the network sees it. */
export function shuffleShape({ height, width, channels }: PatchShape, patch: number): PatchShape {
  return { height: height / patch, width: width / patch, channels: channels * patch * patch };
}
