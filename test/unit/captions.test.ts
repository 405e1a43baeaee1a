import { describe, expect, it } from "vitest";
import { openImageSet } from "../../shared/data/open.ts";
import { openScenes } from "../../shared/data/sources/captions.ts";
import { match, scoreCaptions, shuffledCaptions } from "../../shared/eval/caption-match.ts";
import { createSeeing } from "../../shared/eval/seen-things.ts";
import { normals, PURPOSE } from "../../shared/rng/stream.ts";
import { drawThings } from "../../shared/scenes/draw.ts";
import { captionOf, describedBy, isHeldOut, type Scene, sceneOf, type Thing } from "../../shared/scenes/scene.ts";
import { COLOURS, MOST_WORDS, SHAPES, WORDS, wordsOf } from "../../shared/scenes/words.ts";

const N = 300;
const range = (n: number) => Array.from({ length: n }, (_, k) => k);
const scenes = (split: Parameters<typeof sceneOf>[1], n = N): Scene[] => range(n).map((id) => sceneOf(id, split));

const read = async (split: Parameters<typeof sceneOf>[1], side: number, n = N) => {
  const { pixels, captions } = await openScenes(n, side, split).read(range(n));
  return { pixels, captions: captions! };
};

/** Bytes with Gaussian noise added. */
const noised = (pixels: Uint8Array, sigma: number): Uint8Array => {
  const z = normals({ seed: 1, purpose: PURPOSE.noise, step: 0, index: 0 }, pixels.length);
  return pixels.map((value, k) => Math.max(0, Math.min(255, Math.round(value + sigma * z[k]!))));
};

describe("captioned scenes", () => {
  it("are a function of id and split, and others in every split", () => {
    expect(scenes("train")).toEqual(scenes("train"));
    const captions = (split: Parameters<typeof sceneOf>[1]) => scenes(split).map(({ caption }) => caption);
    expect(captions("test")).not.toEqual(captions("train"));
    expect(captions("held-out")).not.toEqual(captions("train"));
  });

  it("say what the grammar has, in words that are known, and what they say can be read", () => {
    for (const { caption, things } of scenes("train", 2000)) {
      const words = wordsOf(caption);
      expect(words.length).toBeLessThanOrEqual(MOST_WORDS);
      for (const word of words) expect(WORDS).toContain(word);
      const described = describedBy(caption);
      expect(captionOf(described)).toBe(caption);
      expect(described.things.map(({ colour, shape }) => [colour, shape])).toEqual(
        things.map(({ colour, shape }) => [colour, shape]),
      );
    }
    expect(Math.max(...scenes("train").map(({ caption }) => wordsOf(caption).length))).toBe(MOST_WORDS);
  });

  it("hold pairs of colour and shape out of training and of its test, and have one in every other picture", () => {
    for (const split of ["train", "test"] as const)
      expect(scenes(split, 2000).some(({ things }) => things.some(isHeldOut))).toBe(false);
    expect(scenes("held-out", 2000).every(({ things }) => things.some(isHeldOut))).toBe(true);
    const things = scenes("train", 2000).flatMap((scene) => scene.things);
    for (const colour of COLOURS) expect(things.some((thing) => thing.colour === colour)).toBe(true);
    for (const shape of SHAPES) expect(things.some((thing) => thing.shape === shape)).toBe(true);
  });

  it("draw things that lie within the picture and do not overlap", () => {
    for (const { things } of scenes("held-out", 1000)) {
      const cover = new Float32Array(32 * 32);
      for (const thing of things) {
        const alone = new Uint8Array(32 * 32 * 3);
        drawThings(alone, [{ ...thing, colour: "white" }], 32);
        for (let pixel = 0; pixel < cover.length; pixel++) cover[pixel]! += alone[3 * pixel]!;
        for (const edge of range(32))
          expect(alone[3 * 32 * edge] === 240 && alone[3 * 32 * edge + 93] === 240).toBe(false);
      }
      expect(Math.max(...cover)).toBeLessThanOrEqual(240);
    }
  });

  it("read captions with articles, capitals and commas, and refuse what is none by an example", () => {
    expect(describedBy("A small blue circle, left of a large red square")).toEqual({
      things: [
        { size: "small", colour: "blue", shape: "circle" },
        { size: "large", colour: "red", shape: "square" },
      ],
      place: undefined,
      relation: "left of",
    });
    for (const wrong of ["", "red", "square red", "red square top", "red square left of", "red square red"])
      expect(() => describedBy(wrong)).toThrow(/not in the grammar/);
  });
});

describe("the source captions:", () => {
  const open = (source: string, imageSize = 16) =>
    openImageSet({ source, imageSize, onError: "fail", cacheMiB: 0 }, { split: "train" });

  it("reads captions with the pictures, in any order", async () => {
    const set = await open("captions:20");
    expect(set).toMatchObject({ size: 20, height: 16, width: 16, channels: 3, classes: [] });
    const { captions } = await set.read([7, 0, 7]);
    expect(captions).toEqual([7, 0, 7].map((id) => sceneOf(id, "train").caption));
  });

  it("has the pairs that are held out, by name", async () => {
    const set = await open("captions:held-out:20");
    expect(set.name).toBe("captions:held-out:20");
    expect((await set.read([3])).captions).toEqual([sceneOf(3, "held-out").caption]);
    expect((await open("captions:20")).digest).not.toBe(set.digest);
  });

  it("refuses pictures that are too small for a shape, and what is no count", async () => {
    await expect(open("captions:20", 8)).rejects.toMatchObject({ message: expect.stringContaining("imageSize 8") });
    await expect(open("captions:many")).rejects.toThrow(/the count must be/);
  });
});

describe.each([16, 32])("pictures of %d pixels against their captions", (side) => {
  const n = 120;

  it.each(["train", "held-out"] as const)(
    "score 1 as drawn, of every split, and far less under others' captions: %s",
    async (split) => {
      const { pixels, captions } = await read(split, side, n);
      expect(scoreCaptions(pixels, captions, side)).toEqual({ exact: 1, share: 1 });
      const floor = scoreCaptions(pixels, shuffledCaptions(captions), side);
      expect(floor.exact).toBeLessThan(0.05);
      expect(floor.share).toBeLessThan(0.5);
    },
  );

  it("score 1 in all but few cases with noise of twenty bytes", async () => {
    const { pixels, captions } = await read("test", side, n);
    expect(scoreCaptions(noised(pixels, 20), captions, side).exact).toBeGreaterThan(0.97);
  });

  it("score less the more they are damaged, and a black one has nothing right", async () => {
    const { pixels, captions } = await read("test", side, n);
    const halves = pixels.map((value, k) => (Math.floor(k / 3) % side < side / 2 ? value : 0));
    const swapped = pixels.map((_, k) => pixels[3 * Math.floor(k / 3) + ((k + 1) % 3)]!);
    for (const damaged of [halves, swapped]) {
      const { exact, share } = scoreCaptions(damaged, captions, side);
      expect(exact).toBeLessThan(0.6);
      expect(share).toBeLessThan(0.9);
    }
    expect(scoreCaptions(new Uint8Array(pixels.length), captions, side)).toEqual({ exact: 0, share: 0 });
  });
});

describe("what a picture shows", () => {
  const one: Thing = { size: "large", colour: "red", shape: "square", x: 9, y: 9 };
  const two: Thing = { size: "small", colour: "blue", shape: "circle", x: 23, y: 10 };

  it("is found as it was drawn", () => {
    const pixels = new Uint8Array(32 * 32 * 3);
    drawThings(pixels, [one, two], 32);
    expect(createSeeing(32)(pixels)).toEqual([one, two]);
  });

  it("is judged by each thing that is said: one wrong word is one wrong claim", () => {
    const share = (caption: string) => match(describedBy(caption), [one, two]).share;
    expect(share("large red square left of small blue circle")).toBe(1);
    expect(share("small blue circle right of large red square")).toBe(1);
    expect(share("large red square left of small green circle")).toBeCloseTo(7 / 8);
    expect(share("large red square right of small blue circle")).toBeCloseTo(7 / 8);
    expect(share("large red square top left")).toBeCloseTo(4 / 5); // one thing too many
    expect(match(describedBy("red square center"), [one])).toEqual({ exact: false, share: 3 / 4 });
    expect(match(describedBy("red square top left"), [one])).toEqual({ exact: true, share: 1 });
    expect(match(describedBy("red square"), [])).toEqual({ exact: false, share: 0 });
  });
});
