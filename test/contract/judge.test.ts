import { beforeAll, describe, expect, it } from "vitest";
import { dataSchema } from "../../shared/config/schema.ts";
import type { ImageBatch } from "../../shared/data/image-set.ts";
import { openImageSet } from "../../shared/data/open.ts";
import { frechetDistance } from "../../shared/eval/frechet.ts";
import { openJudge } from "../../shared/eval/judge.ts";
import { bits, PURPOSE } from "../../shared/rng/stream.ts";
import { testBackend } from "../support/backend.ts";

const COUNT = 1000;
let real: ImageBatch;
let others: ImageBatch;

beforeAll(async () => {
  await testBackend();
  const set = await openImageSet(dataSchema.parse({ source: "fashion-mnist" }), { split: "test" });
  expect(set.fallback, "the judge is tested on the real images: npm run setup:data").toBeUndefined();
  const ids = Array.from({ length: COUNT }, (_, k) => k);
  real = await set.read(ids);
  others = await set.read(ids.map((k) => k + COUNT));
});

describe("the judge of plume eval", () => {
  it("knows images it was not trained on, and puts real ones close to real ones and noise far away", () => {
    const judge = openJudge();
    const reference = judge.judge(real.pixels, real.labels);
    expect(reference.accuracy).toBeGreaterThan(0.87);
    const near = frechetDistance(judge.judge(others.pixels, others.labels).features, reference.features);
    const noise = Uint8Array.from(
      bits({ seed: 0, purpose: PURPOSE.canary, step: 2, index: 0 }, COUNT * 784),
      (word) => word & 255,
    );
    const lost = judge.judge(noise, real.labels);
    expect(lost.accuracy).toBeLessThan(0.3);
    expect(frechetDistance(lost.features, reference.features)).toBeGreaterThan(20 * near);
    judge.dispose();
  });

  it("gives wrong labels no credit", () => {
    const judge = openJudge();
    const shifted = real.labels.map((label) => (label + 1) % 10);
    expect(judge.judge(real.pixels, shifted).accuracy).toBeLessThan(0.1);
    judge.dispose();
  });
});
