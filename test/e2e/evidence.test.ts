// A variational autoencoder and a normalizing flow, from the job file to what is measured of them, as a user runs it.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ROOT } from "../../shared/root.ts";
import { plume, plumeJson, scratchFolder, train } from "../support/plume.ts";

const set = (...fields: string[]) => fields.flatMap((field) => ["--set", field]);
const jobOf = (name: string) => join(ROOT, `deploy/jobs/${name}.yaml`);

const IMAGES = ["data.source=shapes:256", "data.imageSize=8", "model.channels=8", "model.groups=4"];
const FEW = ["training.globalBatch=16", "training.microBatch=4", "sampling.count=12", "checkpoint.everySteps=3"];

const SYSTEMS = {
  vae: { job: jobOf("vae"), fields: [...IMAGES, ...FEW] },
  flow: { job: jobOf("flow"), fields: [...IMAGES, ...FEW, "model.layers=2"] },
  "flow of points": { job: jobOf("flow-grid"), fields: [...FEW, "model.channels=8", "model.layers=3"] },
};
type Name = keyof typeof SYSTEMS;

const scratch = scratchFolder();
afterAll(() => scratch[Symbol.dispose]());
const runOf = (name: string) => scratch.file(name.replaceAll(" ", "-"));
beforeAll(async () => {
  for (const [name, { job, fields }] of Object.entries(SYSTEMS))
    await train(job, runOf(name), "--steps", "6", "--workers", "1", ...set(...fields));
});

describe.each(["vae", "flow"] as const)("a run of a %s", (name) => {
  it("ends with the same bits at three workers and when it goes on, and an audit computes them again", async () => {
    const { job, fields } = SYSTEMS[name];
    const parts = scratch.file(`${name}-parts`);
    for (const steps of ["3", "6"]) await train(job, parts, "--steps", steps, "--workers", "3", ...set(...fields));
    const shas = (run: string) => {
      const { weightsSha256, emaSha256 } = JSON.parse(readFileSync(join(run, "summary.json"), "utf8"));
      return { weightsSha256, emaSha256 };
    };
    expect(shas(parts)).toEqual(shas(runOf(name)));
    const audit = await plumeJson("audit", parts, "--replay", "5");
    expect(audit).toMatchObject({ ok: true, replay: { ok: true, replayed: 2 } });
  });

  it("tells bits of test images, and fewer by more draws", async () => {
    const found = await plumeJson("likelihood", runOf(name), "--count", "16", "--draws", "16");
    expect(found).toMatchObject({ kind: name === "vae" ? "bound" : "exact", images: 16, draws: 16 });
    const { model, weighted, uniform } = found.bits as Record<string, number>;
    expect(weighted).toBeLessThan(model! + 0.05);
    expect(Math.abs(model! - uniform!)).toBeLessThan(8);
  });

  it("draws the same images on one process as on three", async () => {
    const drawn = await Promise.all(
      ["1", "3"].map(async (workers) => {
        const file = scratch.file(`${name}-${workers}.npy`);
        await plume("sample", runOf(name), "--count", "12", "--workers", workers, "-o", file);
        return readFileSync(file).toString("hex");
      }),
    );
    expect(drawn[0]).toBe(drawn[1]);
  });
});

it("a flow makes images of their own z again, to the byte; a vae walks between the codes of two", async () => {
  const file = scratch.file("edited.npy");
  const from = ["--from-data", "test", "-o", file, "--indices"];
  const again = await plumeJson("edit", "reconstruct", runOf("flow"), ...from, "0,1,2");
  expect(again).toMatchObject({ count: 3, sampler: "generator" });
  expect(again.error).toBe(0);
  const between = await plumeJson("edit", "interpolate", runOf("vae"), ...from, "0,1", "--frames", "3", "--class", "0");
  expect(between).toMatchObject({ frames: 3 });
  const { code, stderr } = await plume("edit", "inpaint", runOf("vae"), ...from, "0", "--mask", "center");
  expect(code).toBeGreaterThan(0);
  expect(stderr).toContain("or reconstruct and interpolate by this one");
  const silent = await plume("edit", "interpolate", runOf("vae"), ...from, "0,1");
  expect(silent.stderr).toContain("add --class");
});

it("a flow of points is measured by the modes that they cover", async () => {
  const { rows } = (await plumeJson(
    ...["eval", runOf("flow of points"), "--seeds", "0", "--stages", "final", "--count", "200"],
  )) as { rows: { kind: string; evaluations?: number; metrics: { modes: { mean: number } } }[] };
  expect(rows[0]).toMatchObject({ kind: "generated", evaluations: 1 });
  expect(rows[0]!.metrics.modes.mean).toBeLessThan(25);
});

describe("what such a model has not", () => {
  const REFUSED: readonly (readonly [Name, readonly string[], string, string])[] = [
    ["vae", ["sample", "--steps", "5", "-o", "x.png"], "draws by no steps of a process", "leave --steps out"],
    ["flow", ["sample", "--sampler", "heun", "-o", "x.png"], "does not fit the model, a flow", "use one of generator"],
    ["flow", ["eval", "--bound"], "is a flow, of which --bound knows no likelihood", "plume likelihood"],
    ["vae", ["checkpoints export", "-o", "x"], "--format diffusers has no form of a vae", "safetensors"],
  ];
  it.each(REFUSED)(
    "is refused of a %s for %j, with the remedy",
    async (name, [command, ...options], problem, remedy) => {
      const { code, stderr } = await plume(...command!.split(" "), runOf(name), ...options);
      expect(code).toBeGreaterThan(0);
      expect(stderr).toContain(problem);
      expect(stderr).toContain(remedy);
    },
  );

  it("is refused before any work: an objective of another network, channels of which there is no half", async () => {
    const asked = async (...fields: string[]) =>
      plume("train", "-f", jobOf("flow"), "--out", scratch.file("none"), ...set(...IMAGES, ...fields));
    const other = await asked("diffusion.objective=elbo");
    expect(other).toMatchObject({ code: 2 });
    expect(other.stderr).toContain("elbo does not judge what the network flow gives; choose likelihood");
    const alone = await asked("data.patch=1");
    expect(alone).toMatchObject({ code: 2 });
    expect(alone.stderr).toContain("set data.patch to 2, or more");
  });
});
