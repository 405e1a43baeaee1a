// Frozen text encoders against Python's transformers: npm run setup:python.

import { beforeAll, describe, expect, it } from "vitest";
import type { BackendName } from "../../shared/backends/backend.ts";
import { openBackend } from "../../shared/backends/index.ts";
import { openEncoder } from "../../shared/text/encode.ts";
import { readTextEncoder } from "../../shared/text/read.ts";
import { openTokenizer } from "../../shared/text/tokenizer.ts";
import { upload } from "../support/pictures.ts";
import { scratchFolder } from "../support/plume.ts";
import { transformers } from "../support/python.ts";
import { writeT5 } from "../support/t5-folder.ts";
import { useS3Server } from "../support/use-s3-server.ts";

const scratch = scratchFolder();
const server = useS3Server();
const file = (name: string) => scratch.file(name);

const CAPTIONS = [
  "large red square",
  "A Large, red square left of the circle.",
  "two  spaces and\ta tab, ½ of a café ﬁgure – “quoted”",
  "小 red",
  "the quick brown fox jumps over 13 lazy dogs, and nobody of them all is left to tell what happened to the red square",
  "x",
];
const CORPUS = [
  "a large red square left of a small blue circle",
  "the quick brown fox jumps over the lazy dog",
  "two dogs and a cat on a red sofa, with a café behind them",
  "a photograph of an astronaut riding a horse",
];

interface Encoded {
  readonly ids: number[];
  readonly words: number[];
}

const FOLDERS = {
  "v1.0": writeT5(file("v1.0")),
  "v1.1": writeT5(file("v1.1"), {
    ...{ feed_forward_proj: "gated-gelu", relative_attention_num_buckets: 8, relative_attention_max_distance: 20 },
  }),
  "a whole T5 in half precision": file("whole"),
};

const theirs: Record<string, Encoded[]> = {};
let spiece: { slow: number[][]; fast: number[][] };
beforeAll(() => {
  const whole = FOLDERS["a whole T5 in half precision"];
  const config = { vocab_size: 300, d_model: 16, d_kv: 4, d_ff: 24, num_layers: 1, num_heads: 2 };
  const [, tokens, ...encoded] = transformers([
    { kind: "make", folder: whole, corpus: CORPUS, pieces: 90, config },
    { kind: "spiece", folder: whole, captions: CAPTIONS },
    ...Object.values(FOLDERS).map((folder) => ({ kind: "encode", folder, captions: CAPTIONS })),
  ]);
  spiece = tokens as typeof spiece;
  Object.keys(FOLDERS).forEach((name, k) => {
    theirs[name] = encoded[k] as Encoded[];
  });
});

const read = (folder: string) => readTextEncoder(`file://${folder}`, {});

describe("a T5 encoder", () => {
  it.each(Object.keys(FOLDERS))("%s makes the tokens of a caption that transformers makes", async (name) => {
    const tokenize = await openTokenizer((await read(FOLDERS[name as keyof typeof FOLDERS])).tokenizer);
    expect(CAPTIONS.map((caption) => [...tokenize(caption)])).toEqual(theirs[name]!.map(({ ids }) => ids));
  });

  it("is the same in a bucket as in a folder", async () => {
    await upload(server(), FOLDERS["v1.0"], "t5");
    const [there, here] = [await readTextEncoder("s3://plume-test/t5/", {}), await read(FOLDERS["v1.0"])];
    expect(there.sha256).toBe(here.sha256);
    expect(there.sha256).not.toBe((await read(FOLDERS["v1.1"])).sha256);
  });

  it("has the tokens of a SentencePiece model, as it is and as transformers' tokenizer.json of it", async () => {
    const whole = FOLDERS["a whole T5 in half precision"];
    const tokenize = await openTokenizer((await read(whole)).tokenizer);
    expect(spiece.fast).toEqual(spiece.slow);
    expect(CAPTIONS.map((caption) => [...tokenize(caption)])).toEqual(spiece.fast);
  });

  // A captions' length is a graph of its own, which TensorFlow takes a second to load.
  describe.each<[BackendName, number[]]>([
    ["wasm", [0, 1, 2, 3, 4, 5]],
    ["tfjs-node", [0, 1]],
  ])("on %s", (backendName, captions) => {
    it.each(Object.keys(FOLDERS))("%s makes the words of a caption that transformers makes", async (name) => {
      const { program } = await openBackend(backendName);
      const encode = openEncoder(await read(FOLDERS[name as keyof typeof FOLDERS]), 128, program);
      for (const k of captions) {
        const { words } = theirs[name]![k]!;
        const ours = await encode(CAPTIONS[k]!);
        expect(ours).toHaveLength(words.length);
        expect(Math.max(...words.map((word, i) => Math.abs(word - ours[i]!)))).toBeLessThan(1e-5);
      }
    });
  });
});
