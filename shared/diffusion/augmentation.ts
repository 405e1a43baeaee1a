// Levels of conditioning augmentation: how far the low-resolution image of a cascade is noised before it is told to the next
// network (Ho et al. 2022, Section 4.2; Saharia et al. 2022, Section 2.4).

import { LOG_SNR } from "./log-snr.ts";
import type { Level } from "./parameterization.ts";

/** Of s from 0 to 1, by Imagen's linear schedule. */
export const augmentationLevel = (s: number): Level => LOG_SNR.linear.level(s);
