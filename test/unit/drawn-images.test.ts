// What `plume sample` and `plume serve` ask of whoever draws: of a chain of models, and of models that read captions.

import { describe, expect, it } from "vitest";
import { type ImageWords, parseAsked, wayFor } from "../../coordinator/cli/commands/sample/asked.ts";
import type { ImagesWanted } from "../../coordinator/cli/commands/sample/hands.ts";
import { drawPlanned, planImages } from "../../coordinator/cli/commands/sample/images.ts";
import { checkPrompt } from "../../coordinator/cli/commands/sample/prompt.ts";
import type { Beside } from "../../coordinator/cli/drawing/messages.ts";
import { parseJob } from "../../shared/config/load.ts";
import type { ReadModel } from "../../shared/interop/load-model.ts";

const TEXT = "text: { width: 8, layers: 1 }";
const ANY_WORDS = 'models: { text: { from: "file://t5" } }';
const UNET = "channels: 8, channelMult: [1], groups: 4";

function model(name: string, side: number, fields: string, rest = ""): ReadModel {
  const job = parseJob(`
metadata: { name: ${name} }
spec:
  data: { source: "captions:64", imageSize: ${side}, patch: 4 }
  model: { ${UNET}, ${fields} }
  ${rest}`);
  const imageSet = { name: "captions:64", height: side, width: side, channels: 3, classes: [] };
  return { job, imageSet, step: 1, weights: "ema", values: new Map(), at: name };
}

const top = model("top", 64, `lowRes: { size: 32 }, ${TEXT}`);
const over16 = model("top", 64, `lowRes: { size: 16 }, ${TEXT}`);
const middle = model("middle", 32, "lowRes: { size: 16 }");
const prompted = (prompts: string, models = "") =>
  model("base", 16, TEXT, `${models}\n  sampling: { prompts: [${prompts}] }`);
const decoder = model("base", 16, "embedding: 6", 'models: { clip: { from: "file://clip" } }');

/** What is drawn of each model, in turn, and with what prior. */
async function drawn(
  first: ReadModel,
  behind: readonly ReadModel[],
  words: Partial<ImageWords> = {},
  beside: Beside = {},
) {
  const asked = parseAsked({ seed: "0", count: "3", base: behind.map(({ at }) => at), ...words });
  const subject = { checkpoint: first.at, model: first, beside };
  const captions: Record<string, readonly string[] | undefined> = {};
  const priors: Record<string, string | undefined> = {};
  await drawPlanned(await planImages(subject, asked, wayFor(first.at, first.job.spec, asked)), {
    signal: new AbortController().signal,
    note: () => {},
    read: async (checkpoint) => behind.find(({ at }) => at === checkpoint)!,
    async beside(checkpoint, _, { prior }): Promise<Beside> {
      priors[checkpoint] = prior;
      return {};
    },
    async draw({ at, imageSet: { height, width, channels } }, { count, captionsOf }: ImagesWanted) {
      captions[at] = captionsOf?.([0, 1, 2]);
      return { pixels: new Uint8Array(count * height * width * channels), workers: 1 };
    },
  });
  return { captions, priors };
}

describe("images of a chain", () => {
  it("show to the last what the first was asked for by its own job", async () => {
    const { captions } = await drawn(top, [middle, prompted("small white cross, large red square")]);
    const shown = ["small white cross", "large red square", "small white cross"];
    expect(captions).toEqual({ base: shown, middle: undefined, top: shown });
  });

  it("show one prompt to all that read any", async () => {
    const { captions } = await drawn(over16, [prompted("small white cross")], { prompt: "large red square" });
    expect(captions).toMatchObject({ base: Array(3).fill("large red square"), top: Array(3).fill("large red square") });
  });

  it("are refused before any is drawn where one does not know the words of another's job", async () => {
    const base = prompted("a corgi", ANY_WORDS);
    await expect(drawn(over16, [base])).rejects.toThrow('sampling.prompts of base: "a corgi" has the word corgi');
  });

  it("are refused where what enlarges them reads by a clip, which knows the words of scenes alone", async () => {
    const [base, reader] = [
      prompted("a corgi", ANY_WORDS),
      model("top", 64, `lowRes: { size: 16 }, ${TEXT}`, ANY_WORDS),
    ];
    const text = { spec: base.job.spec, image: base.imageSet, flat: new Float32Array(0) };
    await expect(drawn(reader, [base], {}, { text })).rejects.toThrow('"a corgi" has the word corgi');
    expect((await drawn(reader, [base])).captions.top).toEqual(Array(3).fill("a corgi"));
  });

  it("are drawn of embeddings by the decoder at its end alone", async () => {
    const { priors } = await drawn(top, [middle, decoder], { prior: "runs/prior" });
    expect(priors).toEqual({ middle: undefined, base: "runs/prior" });
  });
});

describe("a decoder whose own words may be any", () => {
  const { spec } = model(
    "decoder",
    16,
    `${TEXT}, embedding: 6`,
    'models: { text: { from: "file://t5" }, clip: { from: "file://c" } }',
  ).job;

  it("is asked for those of scenes, which its prior knows", () => {
    expect(() => checkPrompt("decoder", [spec], "a corgi")).toThrow('--prompt "a corgi" has the word corgi');
    expect(() => checkPrompt("decoder", [spec], "a red circle")).not.toThrow();
  });
});
