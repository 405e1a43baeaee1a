// All operations that a backend is asked for.

import type { BackendCase } from "./case.ts";
import { convolutions } from "./convolutions.ts";
import { densities } from "./densities.ts";
import { elementwise } from "./elementwise.ts";
import { moving } from "./moving.ts";
import { norms } from "./norms.ts";
import { products } from "./products.ts";
import { reductions } from "./reductions.ts";
import { resampling } from "./resampling.ts";
import { second } from "./second.ts";

export const BACKEND_CASES: readonly BackendCase[] = [
  ...convolutions(),
  ...products(),
  ...norms,
  ...elementwise,
  ...reductions(),
  ...moving,
  ...resampling,
  ...second,
  ...densities,
];
