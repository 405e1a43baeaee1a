import { describe, expect, it } from "vitest";
import { openHeldOut } from "../../coordinator/cli/held-out.ts";
import { parseJob } from "../../shared/config/load.ts";
import { refusalOf } from "../support/refusal.ts";

/** A model of such data, as its checkpoint tells of it. */
function modelOf(source: string, { height = 8, width = 8, classes = 0 } = {}) {
  const job = parseJob(
    `metadata: { name: tiny }\nspec: { data: { source: "${source}", imageSize: 8 }, model: { classes: ${classes} } }`,
  );
  return { job, imageSet: { name: source, height, width, channels: 1, classes: [] } };
}

const { signal } = new AbortController();

describe("the images that a model is measured on", () => {
  it("are those that it was not trained on, where its source has any, and it is said where not", async () => {
    await using others = await openHeldOut(modelOf("heartbeat:64", { height: 1, width: 20 }), signal);
    expect(others).toMatchObject({ heldOut: true, which: "test images" });
    expect(others.test.digest).not.toBe(others.train.digest);
    await using same = await openHeldOut(modelOf("shapes:64"), signal);
    expect(same).toMatchObject({ heldOut: false, which: expect.stringContaining("the source has no others") });
  });

  it.each([
    ["other shapes", { height: 16, width: 16 }, "images of 8x8x1, it was trained on 16x16x1"],
    ["more classes", { classes: 3 }, "images of 10 classes, it knows 3"],
  ])("are refused where they have become %s, with the job's words for them", async (_, model, why) => {
    const error = await refusalOf(openHeldOut(modelOf("shapes:64", model), signal));
    expect(error).toMatchObject({ code: "UNAVAILABLE", remedy: "put them where the job names them" });
    expect(error.message).toBe(`the images of shapes:64 are not here: there are ${why}`);
  });
});
