// The claims, in the order of the page.

import { cost } from "./cost.ts";
import { covered } from "./coverage.ts";
import { downstream } from "./downstream.ts";
import { likely } from "./likely.ts";
import { quality } from "./quality.ts";
import { saddle } from "./saddle.ts";
import type { Claim } from "./section.ts";
import { settings } from "./settings.ts";
import { stability } from "./stability.ts";

export const CLAIMS = {
  saddle,
  stability,
  coverage: covered,
  quality,
  settings,
  cost,
  likelihood: likely,
  downstream,
} satisfies Record<string, Claim>;

export type ClaimName = keyof typeof CLAIMS;
export const CLAIM_NAMES = Object.keys(CLAIMS) as ClaimName[];
