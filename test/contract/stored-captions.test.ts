// Captions of sets that lie in shards and files.

import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { dataSchema } from "../../shared/config/data.ts";
import { checkCaptions, openImageSet } from "../../shared/data/open.ts";
import { drawPicture, encodePicture, PARQUET, writeTar } from "../support/pictures.ts";
import { scratchFolder } from "../support/plume.ts";

const scratch = scratchFolder();
afterAll(() => scratch[Symbol.dispose]());

const open = (source: string) => openImageSet(dataSchema.parse({ source, imageSize: 8, cacheMiB: 0 }));

describe("captions", () => {
  let folders = 0;
  const written = (files: Record<string, Buffer | string>) => {
    const folder = scratch.file(`captions-${folders++}`);
    writeTar(
      join(folder, "a.tar"),
      Object.fromEntries(Object.entries(files).map(([name, bytes]) => [name, Buffer.from(bytes)])),
    );
    return `wds:${folder}`;
  };

  it("of tar shards are what .txt says, else caption or text of .json; a part of the set's digest", async () => {
    const png = await encodePicture(1);
    const files = (first: string) => ({
      ...{ "a.png": png, "a.txt": `${first}\n`, "a.json": '{"caption": "not this"}' },
      ...{ "b.json": '{"caption": "größer", "label": null}', "b.jpg": png },
      ...{ "c.png": png, "c.json": '{"text": "", "width": 8}' },
    });
    const set = await open(written(files("a red square")));
    expect((await set.read([2, 0, 1, 0])).captions).toEqual(["", "a red square", "größer", "a red square"]);
    expect(set.captions).toEqual({ lacking: null });
    expect((await open(written(files("a red square")))).digest).toBe(set.digest);
    expect((await open(written(files("a red circle")))).digest).not.toBe(set.digest);
  });

  it("that some samples lack are none, and the first that lacks one is named", async () => {
    const png = await encodePicture(1);
    const set = await open(written({ "a.png": png, "a.txt": "red", "b.png": png }));
    expect(set.captions).toEqual({ lacking: expect.stringMatching(/a\.tar: b$/) });
    expect((await set.read([0])).captions).toBeUndefined();
    expect((await open(written({ "a.png": png, "b.png": png }))).captions).toBeUndefined();
    expect(() => checkCaptions({ model: { text: {} } }, set)).toThrow(
      /a\.tar: b has no caption, which model\.text reads/,
    );
    expect(() => checkCaptions({ model: {} }, set)).not.toThrow();
  });

  it("of parquet are a column of text beside the images", async () => {
    const set = await open(`parquet:${join(PARQUET, "captions.parquet")}`);
    const { captions, pixels, labels } = await set.read([5, 0]);
    expect(captions).toEqual(["picture 5, größer", "picture 0, größer"]);
    expect(Buffer.compare(pixels.subarray(192), drawPicture(0))).toBe(0);
    expect([...labels]).toEqual([-1, -1]);
  });
});
