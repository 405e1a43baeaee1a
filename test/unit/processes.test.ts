import { describe, expect, it } from "vitest";
import { karras, polyexponential } from "../../shared/diffusion/grids.ts";
import {
  type Level,
  PARAMETERIZATIONS,
  type ParameterizationName,
  parameterizationOf,
} from "../../shared/diffusion/parameterization.ts";
import { LEVELS, noiseProcess, type ProcessName } from "../../shared/diffusion/processes/index.ts";
import { ratioOf } from "../../shared/diffusion/processes/process.ts";
import { integers, normals, PURPOSE, uniforms } from "../../shared/rng/stream.ts";

const DEFAULTS = { schedule: "cosine", timesteps: 1000, betaMin: 0.1, betaMax: 20, pMean: -1.2, pStd: 1.2 };
const NAMES = Object.keys(LEVELS) as ProcessName[];
const of = (process: ProcessName, more: object = {}) => noiseProcess({ ...DEFAULTS, ...more, process });

const key = { seed: 1, purpose: PURPOSE.time, step: 0, index: 0 };
const draws = {
  uniforms: (n: number) => uniforms(key, n),
  normals: (n: number) => normals(key, n),
  integers: (n: number, bound: number) => integers(key, n, bound),
};

/** Times over the span, ends included. */
const times = ({ span: { min, max } }: ReturnType<typeof of>, n = 21) =>
  Array.from({ length: n }, (_, i) => min + ((max - min) * i) / (n - 1));

describe.each(NAMES)("the process %s", (name) => {
  const process = of(name);

  it("has more noise at every later time, and finds each time again by its sigma / alpha", () => {
    const ratios = times(process).map((t) => ratioOf(process.level(t)));
    ratios.slice(1).forEach((ratio, i) => expect(ratio).toBeGreaterThan(ratios[i]!));
    times(process).forEach((t, i) => expect(process.timeOf(ratios[i]!)).toBeCloseTo(t, 6));
  });

  it("tells the network different numbers at different times", () => {
    const labels = times(process).map(process.label);
    expect(new Set(labels).size).toBe(labels.length);
    expect(labels.every(Number.isFinite)).toBe(true);
  });

  it("draws times of training at which it has levels, the same ones from the same stream", () => {
    const drawn = Array.from(process.draw(draws, 1000));
    expect(drawn).toEqual(Array.from(process.draw(draws, 1000)));
    for (const t of drawn) expect(Number.isFinite(ratioOf(process.level(t)))).toBe(true);
    expect(new Set(drawn).size).toBeGreaterThan(600);
  });
});

describe("what is known of single processes", () => {
  it.each(["linear", "cosine"])(
    "imagen keeps the variance, its steps are its levels and end at x_0: %s",
    (schedule) => {
      const imagen = of("imagen", { schedule });
      for (const t of times(imagen)) {
        const { alpha, sigma } = imagen.level(t);
        expect(alpha * alpha + sigma * sigma).toBeCloseTo(1, 12);
      }
      const steps = imagen.steps!(10);
      expect(steps.T).toBe(10);
      expect(steps.sqrtAlphasCumprod[9]).toBeCloseTo(imagen.level(imagen.span.max).alpha, 12);
      expect(steps.modelTimestep(4)).toBeCloseTo(imagen.label(imagen.span.max / 2), 9);
      expect([steps.posteriorMeanCoef1[0], steps.posteriorMeanCoef2[0]]).toEqual([1, 0]);
      expect(ratioOf(imagen.level(imagen.span.max))).toBeLessThan(165);
    },
  );

  it("imagen's cosine schedule is ddpm's in the limit of many steps", () => {
    const [imagen, ddpm] = [of("imagen"), of("ddpm")];
    for (const step of [9, 99, 499, 989])
      expect(ddpm.level(step).alpha).toBeCloseTo(imagen.level((step + 1) / 1000).alpha, 3);
  });

  it("vp and ddpm keep the variance, and DDPM's linear schedule is vp's in steps", () => {
    const [vp, ddpm] = [of("vp"), of("ddpm", { schedule: "linear" })];
    for (const process of [vp, ddpm])
      for (const t of times(process)) {
        const { alpha, sigma } = process.level(t);
        expect(alpha * alpha + sigma * sigma).toBeCloseTo(1, 12);
      }
    for (const step of [9, 99, 499, 999])
      expect(ddpm.level(step).alpha).toBeCloseTo(vp.level((step + 1) / 1000).alpha, 2);
  });

  it("sub-vp has vp's alpha and the square of its sigma: Song et al. 2021, Eq. 29", () => {
    const [vp, sub] = [of("vp"), of("sub-vp")];
    for (const t of times(sub)) {
      expect(sub.level(t).alpha).toBe(vp.level(t).alpha);
      expect(sub.level(t).sigma).toBeCloseTo(vp.level(t).sigma ** 2, 12);
    }
  });

  it("ve and edm go where the job says", () => {
    const ve = of("ve", { sigmaMin: 0.1, sigmaMax: 30 });
    expect(ve.level(1).sigma).toBeCloseTo(30, 10);
    expect(ve.level(0.5).sigma).toBeCloseTo(Math.sqrt(3), 10);
    expect(of("edm", { sigmaMax: 8 }).span).toEqual({ min: 0.002, max: 8 });
  });

  it("edm's training draws ln sigma from N(pMean, pStd)", () => {
    const logs = Array.from(of("edm", { pMean: 0.5, pStd: 0.3 }).draw(draws, 20_000), Math.log);
    const mean = logs.reduce((sum, v) => sum + v, 0) / logs.length;
    const std = Math.sqrt(logs.reduce((sum, v) => sum + (v - mean) ** 2, 0) / logs.length);
    expect(mean).toBeCloseTo(0.5, 2);
    expect(std).toBeCloseTo(0.3, 2);
  });

  it.each(["vp", "sub-vp", "ve"] as const)("%s: its SDE's drift and diffusion make its levels", (name) => {
    const process = of(name);
    const h = 1e-5;
    for (const t of [0.1, 0.5, 0.9]) {
      const [before, here, after] = [t - h, t, t + h].map((time) => process.level(time));
      // d alpha = drift alpha dt, d sigma^2 = (2 drift sigma^2 + g^2) dt.
      const slope = (f: (level: Level) => number) => (f(after!) - f(before!)) / (2 * h);
      const [drift, g] = [process.sde!.drift(t), process.sde!.diffusion(t)];
      expect(slope((level) => level!.alpha)).toBeCloseTo(drift * here!.alpha, 4);
      const expected = 2 * drift * here!.sigma ** 2 + g * g;
      expect(slope((level) => level!.sigma ** 2) / expected).toBeCloseTo(1, 5);
    }
  });
});

describe.each(Object.keys(PARAMETERIZATIONS) as ParameterizationName[])("the prediction %s", (name) => {
  it.each(NAMES)("gives x_0 back from its target at every level of %s", (process) => {
    const { reading, target } = parameterizationOf(name, 0.5);
    const [x0, eps] = [0.7, -1.3];
    for (const t of times(of(process))) {
      const level = of(process).level(t);
      const { skip, out } = reading(level);
      if (out === 0) continue; // x itself, whatever the network gives
      const own = target(level);
      const F = own.x0 * x0 + own.eps * eps;
      const x_t = level.alpha * x0 + level.sigma * eps;
      // Where alpha is 1e-3, eps holds x_0 to as many digits fewer.
      expect(Math.abs(skip * x_t + out * F - x0)).toBeLessThan(1e-12 * (1 + ratioOf(level)));
    }
  });
});

it("EDM's network sees unit variance and is asked for unit variance: Karras et al. 2022, App. B.6", () => {
  const { input, target } = parameterizationOf("edm", 0.5);
  for (const sigma of [0.002, 0.1, 1, 10, 80]) {
    const level = { alpha: 1, sigma };
    expect(input!(level) * Math.hypot(0.5, sigma)).toBeCloseTo(1, 12);
    const { x0, eps } = target(level);
    expect(Math.hypot(x0 * 0.5, eps)).toBeCloseTo(1, 12);
  }
});

describe("a grid of sigmas", () => {
  it.each([
    ["karras", karras],
    ["polyexponential", polyexponential],
  ])("%s runs from the largest to the least, ends exact, and may have one point", (_name, grid) => {
    const sigmas = grid(10, 0.02, 50);
    expect(sigmas[0]).toBeCloseTo(50, 10);
    expect(sigmas[9]).toBeCloseTo(0.02, 10);
    sigmas.slice(1).forEach((sigma, i) => expect(sigma).toBeLessThan(sigmas[i]!));
    expect(grid(1, 0.02, 50)[0]).toBeCloseTo(50, 10);
  });
});
