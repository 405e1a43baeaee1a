import { beforeAll, describe, expect, it } from "vitest";
import type { Backend } from "../../shared/backends/backend.ts";
import { parseJob } from "../../shared/config/load.ts";
import { openScenes } from "../../shared/data/sources/captions.ts";
import { initialParameters } from "../../shared/nn/init.ts";
import { promptsOf } from "../../shared/pipeline/captions.ts";
import { createDeviceParams } from "../../shared/pipeline/device-params.ts";
import { createGenerator } from "../../shared/pipeline/generate.ts";
import { createMicroBatch } from "../../shared/pipeline/micro-batch.ts";
import { buildNetwork } from "../../shared/pipeline/network.ts";
import { PROMPTS } from "../../shared/scenes/prompts.ts";
import { describedBy, isHeldOut } from "../../shared/scenes/scene.ts";
import { TOKENS, tokensOf } from "../../shared/scenes/tokens.ts";
import { MOST_WORDS } from "../../shared/scenes/words.ts";
import { buildLayout } from "../../shared/tensor/layout.ts";
import { testBackend } from "../support/backend.ts";

let backend: Backend;
beforeAll(async () => {
  backend = await testBackend();
});

const image = { height: 16, width: 16, channels: 3 };

const jobOf = (labelDrop = 0.1, sampling = "") =>
  parseJob(`
metadata: { name: tiny }
spec:
  data: { source: "captions:16", imageSize: 16, patch: 4 }
  model: { channels: 8, channelMult: [1, 2], groups: 4, attention: [2], text: { width: 8, layers: 1 } }
  diffusion: { process: imagen, predict: v, labelDrop: ${labelDrop} }
  training: { globalBatch: 16, microBatch: 4 }
  sampling: { count: 8${sampling} }`).spec;

/** Weights away from the zeros of a fresh network, so that what it is told is felt. */
async function tiny(labelDrop = 0.1) {
  const spec = jobOf(labelDrop);
  const network = await buildNetwork(spec, image);
  const layout = buildLayout(network.params);
  const params = createDeviceParams(layout);
  params.load(initialParameters(layout, 3).map((w, k) => w + 0.05 * Math.sin(k)));
  const compute = createMicroBatch(spec, network, layout, image, backend);
  const generate = createGenerator({ spec, network, params, image, program: backend.program });
  const run = async (batch: object) => {
    const gradient = new Float32Array(layout.size);
    const read = await openScenes(16, 16, "train").read([0, 1, 2, 3]);
    const loss = await compute(params, { step: 0, index: 0, ...read, ...batch }, gradient);
    return { loss, gradient };
  };
  return { layout, generate, run };
}

describe("the numbers of a caption's words", () => {
  it("are one a word, 0 where there is none, the same with articles and capitals", () => {
    const [plain, written] = [
      tokensOf(["blue circle left of red square"]),
      tokensOf(["A blue circle left of the Red square."]),
    ];
    expect(written).toEqual(plain);
    expect(plain).toHaveLength(MOST_WORDS);
    expect([...plain].map((token) => token > 0)).toEqual([true, true, true, true, true, true, false, false]);
    expect(Math.max(...tokensOf(PROMPTS))).toBeLessThan(TOKENS);
    expect(tokensOf(["red circle", "blue cross"]).subarray(MOST_WORDS)).toEqual(tokensOf(["blue cross"]));
  });

  it.each([
    ["large rde square", /has the word rde, which no caption has/, "did you mean red?"],
    ["large red dodecahedron", /has the word dodecahedron/, /the words are small, large, red/],
    ["", /says nothing/, /for example "large red square top left"/],
    ["a the", /says nothing/, /for example/],
    ["red ".repeat(9), /has 9 words/, /at most 8/],
  ])("are refused for %j", (caption, message, remedy) => {
    expect(() => tokensOf([caption])).toThrow(
      expect.objectContaining({
        code: "INVALID_ARGUMENT",
        message: expect.stringMatching(message),
        remedy: expect.stringMatching(remedy),
      }),
    );
  });

  it("are called what they are to whoever wrote them", () => {
    expect(() => tokensOf([""], "--prompt")).toThrow('--prompt "" says nothing');
  });

  it("of the fixed prompts are of captions that the grammar has, the last of pairs that no training has", () => {
    const things = PROMPTS.map((prompt) => describedBy(prompt).things);
    expect(things.map((each) => each.some(isHeldOut))).toEqual([...Array(6).fill(false), true, true]);
    expect(promptsOf(jobOf(), [0, 9])).toEqual([PROMPTS[0], PROMPTS[1]]);
    expect(promptsOf(jobOf(0.1, ", prompts: [red cross, blue square]"), [0, 1, 2])).toEqual([
      ...["red cross", "blue square", "red cross"],
    ]);
  });
});

describe("a micro-batch with captions", () => {
  it("is a pure function of them: the same bits again, others under other captions", async () => {
    const { run } = await tiny(0);
    const once = await run({});
    expect(await run({})).toEqual(once);
    expect((await run({ captions: PROMPTS.slice(0, 4) })).loss).not.toBe(once.loss);
  });

  it("teaches the encoder and what attends to it", async () => {
    const { run, layout } = await tiny();
    const { gradient } = await run({});
    const felt = (name: RegExp) =>
      layout.tensors
        .filter((tensor) => name.test(tensor.name))
        .map(({ offset, size }) => gradient.subarray(offset, offset + size).some((value) => value !== 0));
    for (const name of [/token_embedding/, /position_embedding/, /add_v_proj\.weight/, /text_embedding\.weight/]) {
      expect(felt(name).length).toBeGreaterThan(0);
      expect(felt(name).every(Boolean)).toBe(true);
    }
  });

  it("drops captions in the asked share: all at 1, so that they no longer matter", async () => {
    const { run } = await tiny(1);
    expect((await run({ captions: PROMPTS.slice(0, 4) })).loss).toBe((await run({})).loss);
  });

  it("of a source without captions is refused by its name", async () => {
    const { run } = await tiny();
    await expect(run({ captions: undefined })).rejects.toThrow(/data\.source captions:16 has no captions/);
  });
});

describe("images of a prompt", () => {
  const how = { seed: 1, sampler: "ddim", steps: 4, labels: null } as const;

  it("depend on it, on their own index, and on nothing beside them", async () => {
    const { generate } = await tiny();
    const asked = { ...how, guidance: 3 };
    const both = await generate({ ...asked, indices: [3, 7], captions: ["red square", "large blue circle"] });
    const one = await generate({ ...asked, indices: [7], captions: ["large blue circle"] });
    expect([...both.subarray(768)]).toEqual([...one]);
    expect(await generate({ ...asked, indices: [7], captions: ["small white cross"] })).not.toEqual(one);
  });

  it("without guidance's scale are those of no caption", async () => {
    const { generate } = await tiny();
    const none = await generate({ ...how, guidance: 1, indices: [7] });
    const unguided = await generate({ ...how, guidance: 0, indices: [7], captions: ["red square"] });
    const largest = Math.max(...none.map((value, k) => Math.abs(value - unguided[k]!)));
    expect(largest).toBeLessThanOrEqual(1);
  });
});
