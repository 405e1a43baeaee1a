// How a command's images are drawn: what is asked, beside what the job says.

import { describe, expect, it } from "vitest";
import { tell, waysOf } from "../../coordinator/cli/commands/eval/ways.ts";
import { parseSampling, type SamplingOptions, samplingFor } from "../../coordinator/cli/sampling.ts";
import { parseJob } from "../../shared/config/load.ts";
import { refusalOf } from "../support/refusal.ts";

const jobOf = (process: string, sampling: string) =>
  parseJob(`metadata: { name: tiny }
spec:
  data: { source: "shapes:64" }
  diffusion: { process: ${process} }
  sampling: { ${sampling} }`).spec;

const asked = (spec: ReturnType<typeof jobOf>, options: Omit<SamplingOptions, "seed">) =>
  samplingFor(spec, parseSampling({ ...options, seed: "0" }));

const heun = jobOf("vp", "sampler: heun, grid: time, threshold: dynamic, percentile: 90");

describe("what is asked of a sampler", () => {
  it("comes before what the job says, which comes where nothing is asked", () => {
    expect(asked(heun, {})).toMatchObject({ grid: "time", threshold: "dynamic", percentile: 90 });
    expect(asked(heun, { grid: "vp", percentile: "99" })).toMatchObject({ grid: "vp", percentile: 99 });
    const none = asked(heun, { threshold: "none" });
    expect([none.threshold, none.percentile]).toEqual(["none", undefined]);
  });

  it("leaves out of the job's what another sampler has no use for", () => {
    const { grid, threshold, percentile } = asked(heun, { sampler: "pc" });
    expect([grid, threshold, percentile]).toEqual([undefined, undefined, undefined]);
  });

  it.each<[Omit<SamplingOptions, "seed">, string, string]>([
    [{ eta: "0.5" }, "--eta 0.5: heun adds no noise, or noise that is its own", "ddim or euler-ancestral"],
    [{ sampler: "pc", grid: "time" }, "--grid time: pc has levels of noise of its own", "heun or dpmpp-2m"],
    [{ sampler: "dpm-adaptive", grid: "karras" }, "--grid karras: dpm-adaptive has levels", "leave it out"],
    [{ sampler: "flow", threshold: "static" }, "--threshold static: flow sees no predictions of x_0", "heun"],
    [{ threshold: "static", percentile: "99" }, "--percentile 99 is of dynamic thresholding", "--threshold dynamic"],
    [{ percentile: "0.995" }, "--percentile 0.995 is not above 1", "99.5 is what other tools call a ratio of 0.995"],
    [{ percentile: "101" }, "--percentile 101 is not above 1 and at most 100", "99.5"],
    [{ grid: "cubic" }, "--grid cubic is unknown", "karras, exponential, vp, time, time-quadratic"],
  ])("is refused where it has no use: %j", async (options, message, remedy) => {
    const error = await refusalOf(Promise.resolve().then(() => asked(heun, options)));
    expect(error).toMatchObject({ code: "INVALID_ARGUMENT", exitCode: 2, remedy: expect.stringContaining(remedy) });
    expect(error.message).toContain(message);
  });
});

describe("a generator, which takes no steps,", () => {
  const { spec } = parseJob(`metadata: { name: tiny }
spec:
  data: { source: "shapes:64" }
  model: { type: dcgan }
  diffusion: { objective: non-saturating }
  sampling: { sampler: generator, steps: 1 }`);

  it.each([
    [{ eta: "1" }, "--eta 1"],
    [{ grid: "karras" }, "--grid karras"],
    [{ threshold: "dynamic" }, "--threshold dynamic"],
  ])("has no use for what is of them, and no other sampler to offer: %j", async (options, flag) => {
    const { message, remedy } = await refusalOf(Promise.resolve().then(() => asked(spec, options)));
    expect(message).toBe(`${flag} is of steps, which the model, a dcgan, has none of`);
    expect(remedy).toBe(`leave ${flag.split(" ")[0]} out`);
  });
});

describe("ways that plume eval compares", () => {
  it("are every combination of the grids and thresholds that are listed, each told by its own", () => {
    const ways = waysOf({ sampler: "heun, dpmpp-2m", grid: "karras,time", threshold: "static" })(heun, undefined);
    expect(ways.map(tell)).toEqual(
      ["heun", "dpmpp-2m"].flatMap((sampler) =>
        ["karras", "time"].map((grid) => `${sampler}, 50 steps, guidance 1, grid ${grid}, threshold static`),
      ),
    );
  });
});
