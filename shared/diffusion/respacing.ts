// Fewer steps than the process was trained with (Nichol and Dhariwal 2021, Sec. 4): which original time steps are kept,
// and the betas between them.

import { PlumeError } from "../errors.ts";

/**
 * guided-diffusion's space_timesteps: "ddimN" takes a whole stride that gives exactly N steps; "10,15,20" cuts the
 * process in equal sections and takes that many steps from each, evenly, rounded half to even.
 * @returns the kept steps, ascending. @throws PlumeError INVALID_ARGUMENT when it cannot be done.
 */
export function spaceTimesteps(timesteps: number, sections: string | readonly number[]): number[] {
  if (typeof sections === "string") {
    if (sections.startsWith("ddim")) return ddimStride(timesteps, countOf(sections.slice(4)));
    sections = sections.split(",").map(countOf);
  }
  const base = Math.floor(timesteps / sections.length);
  const extra = timesteps % sections.length;
  const steps: number[] = [];
  let start = 0;
  sections.forEach((count, i) => {
    const size = base + (i < extra ? 1 : 0);
    if (size < count)
      throw new PlumeError("INVALID_ARGUMENT", `cannot take ${count} steps from a section of ${size}`, {
        remedy: `take at most ${size}`,
      });
    const stride = count <= 1 ? 1 : (size - 1) / (count - 1);
    let current = 0;
    for (let k = 0; k < count; k++) {
      steps.push(start + roundHalfEven(current));
      current += stride;
    }
    start += size;
  });
  return [...new Set(steps)].sort((a, b) => a - b);
}

function countOf(text: string): number {
  if (!/^\s*\d+\s*$/.test(text))
    throw new PlumeError("INVALID_ARGUMENT", `respacing count "${text}" is no whole number`, {
      remedy: 'use for example "ddim50", "250" or "10,15,20"',
    });
  return Number(text);
}

function ddimStride(timesteps: number, wanted: number): number[] {
  for (let stride = 1; stride < timesteps; stride++) {
    const count = Math.ceil(timesteps / stride);
    if (count === wanted) return Array.from({ length: count }, (_, i) => i * stride);
  }
  throw new PlumeError(
    "INVALID_ARGUMENT",
    `no whole stride through ${timesteps} timesteps gives exactly ${wanted} steps`,
    { remedy: `drop the prefix: "${wanted}" spaces them unevenly` },
  );
}

/** Python's round. */
export function roundHalfEven(x: number): number {
  const floor = Math.floor(x);
  const rest = x - floor;
  if (rest !== 0.5) return rest < 0.5 ? floor : floor + 1;
  return floor % 2 === 0 ? floor : floor + 1;
}

/** Betas of the process that visits only `kept`: beta_i = 1 - abar(kept_i) / abar(kept_(i-1)). */
export function respacedBetas(betas: Float64Array, kept: readonly number[]): Float64Array {
  const wanted = new Set(kept);
  const out: number[] = [];
  let alphaBar = 1;
  let last = 1;
  betas.forEach((beta, t) => {
    alphaBar *= 1 - beta;
    if (!wanted.has(t)) return;
    out.push(1 - alphaBar / last);
    last = alphaBar;
  });
  return Float64Array.from(out);
}

/** What the network must be told at respaced step i: the ORIGINAL step, or that times 1000 / T where it was trained so. */
export function modelTimestep(kept: readonly number[], i: number, originalT: number, rescale: boolean): number {
  return rescale ? (kept[i]! * 1000) / originalT : kept[i]!;
}
