// Text to image as a user meets it: a job with captions, pictures of a prompt, what they score, and what is refused.

import { readFileSync } from "node:fs";
import { beforeAll, describe, expect, it } from "vitest";
import { plume, scratchFolder, textJob, tinyJob, train } from "../support/plume.ts";

const scratch = scratchFolder();
const run = scratch.file("run");

beforeAll(() => train(textJob(scratch.path), run));

const sample = (...args: string[]) => plume("sample", run, "--json", ...args);

describe("plume sample of a model that reads captions", () => {
  it("draws what another prompt says otherwise, and the same prompt again to the same bytes, by any number of processes", async () => {
    const draw = async (name: string, ...args: string[]) => {
      const file = scratch.file(`${name}.npy`);
      const { code, stderr } = await sample("--count", "10", "-o", file, ...args);
      expect(code, stderr).toBe(0);
      return readFileSync(file);
    };
    const red = await draw("red", "--prompt", "a large red square, top left");
    expect((await draw("again", "--prompt", "large red square top left", "--workers", "1")).equals(red)).toBe(true);
    expect((await draw("blue", "--prompt", "large blue square top left")).equals(red)).toBe(false);
  });

  it.each([
    ["large rde square", /rde, which no caption has.*did you mean red\?/s],
    ["", /--prompt "" says nothing/],
  ])("refuses the prompt %j before any work", async (prompt, message) => {
    const { code, stderr } = await plume("sample", run, "--prompt", prompt, "-o", scratch.file("none.png"));
    expect(code).toBe(2);
    expect(stderr).toMatch(message);
  });

  it("draws its fixed prompts where none is given, a column each", async () => {
    const { code, stdout, stderr } = await sample("-o", scratch.file("prompts.png"));
    expect(code, stderr).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ count: 8, guidance: 2 });
  });
});

describe("a cascade of models that read captions", () => {
  const large = scratch.file("large");
  beforeAll(() =>
    train(textJob(scratch.path, "large", 32, ", lowRes: { size: 16, noise: 0.2 }"), large, "--steps", "2"),
  );

  it("draws both stages of one prompt: another prompt, other images of both", async () => {
    const draw = async (name: string, prompt: string) => {
      const file = scratch.file(`${name}.npy`);
      const args = ["--base", run, "--count", "2", "--prompt", prompt, "-o", file];
      const { code, stderr } = await plume("sample", large, ...args);
      expect(code, stderr).toBe(0);
      return readFileSync(file);
    };
    const red = await draw("red-32", "large red square");
    expect((await draw("again-32", "a large red square")).equals(red)).toBe(true);
    expect((await draw("blue-32", "large blue square")).equals(red)).toBe(false);
  });

  it("is not measured by the captions of what only enlarges", async () => {
    const { code, stderr } = await plume("eval", large);
    expect(code).toBe(2);
    expect(stderr).toMatch(/large is an upsampler of images of 16x16/);
  });
});

describe("a model that has always read one", () => {
  it("edits no images, which have none", async () => {
    const told = scratch.file("told");
    await train(
      textJob(scratch.path, "told"),
      told,
      "--steps",
      "1",
      "--set",
      "diffusion.labelDrop=0",
      "--set",
      "sampling.count=0",
    );
    const args = ["--from-data", "test", "--mask", "center", "-o", scratch.file("none.png")];
    const { code, stderr } = await plume("edit", "inpaint", told, ...args);
    expect(code).toBe(2);
    expect(stderr).toMatch(/told has seen no image without a caption[\s\S]*labelDrop/);
  });
});

describe("a model that reads none", () => {
  it("has no prompt", async () => {
    const other = scratch.file("other");
    await train(tinyJob(scratch.path), other, "--steps", "1", "--set", "sampling.count=0");
    const { code, stderr } = await plume("sample", other, "--prompt", "red square", "-o", scratch.file("none.png"));
    expect(code).toBe(2);
    expect(stderr).toMatch(/--prompt "red square": .* reads no captions/);
  });
});

describe("plume eval of a model that reads captions", () => {
  it("tells how often its images are what they say, of captions seen and unseen, beside rendered ones", async () => {
    const { code, stdout, stderr } = await plume("eval", run, "--count", "100", "--seeds", "0", "--json");
    expect(code, stderr).toBe(0);
    const { rows } = JSON.parse(stdout) as { rows: { name: string; split: string; scores: { own: object }[] }[] };
    expect(rows.map(({ split }) => split)).toEqual(["test", "test", "held-out", "held-out"]);
    for (const { name, scores } of rows)
      if (name === "as rendered") expect(scores).toMatchObject([{ own: { exact: 1, share: 1 } }]);
      else expect(scores).toMatchObject([{ own: { exact: expect.any(Number) } }]);
  });

  it.each(["--stages final", "--train-judges", "--against pictures"])("refuses %s, of other models", async (told) => {
    const { code, stderr } = await plume("eval", run, ...told.split(" "));
    expect(code).toBe(2);
    expect(stderr).toMatch(new RegExp(`${told}: .* reads captions`));
  });
});
