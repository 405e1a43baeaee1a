import { describe, expect, it } from "vitest";
import { checkAllowed, decideDifferences, describeDifferences, differences } from "../../shared/config/identity.ts";
import { parseJob } from "../../shared/config/load.ts";

const spec = (...set: string[]) =>
  parseJob("metadata: { name: tiny }\nspec: { data: { source: 'shapes:' } }", { set }).spec;

describe("a job that changed", () => {
  it("differs in every field that decides bits, each with what it was and is", () => {
    const found = differences(
      spec("training.clip=1"),
      spec(
        "seed=3",
        "training.optimizer.lr=1e-3",
        "model.channelMult=[1,2,4]",
        "training.steps=7",
        "workers.replicas=1",
      ),
    );
    expect(describeDifferences(found).split("\n  ")).toEqual([
      "seed was 0, is 3",
      "model.channelMult was [1,2], is [1,2,4]",
      "training.optimizer.lr was 0.0002, is 0.001",
      "training.clip was 1, is not set",
    ]);
  });

  it("may differ in steps, workers, intervals, samples, store and audit", () => {
    const free = ["training.steps=9", "workers.min=2", "checkpoint.everySteps=3", "checkpoint.keepEvery=5"];
    free.push("sampling.count=0", "store.region=eu", "coordinator.shards=2", "audit.rate=0.5");
    expect(differences(spec(), spec(...free))).toEqual([]);
  });

  it("may differ in what is allowed by name, and in nothing beside it", () => {
    const all = differences(spec(), spec("training.optimizer.lr=1", "training.clip=2", "seed=1"));
    const { allowed, refused } = decideDifferences(all, ["spec.training.optimizer.lr", "seed"]);
    expect(allowed.map(({ path }) => path)).toEqual(["training.optimizer.lr"]);
    expect(refused.map(({ path }) => path)).toEqual(["seed", "training.clip"]);
  });

  it.each([
    ["training.optimiser.lr", /no job has such a field/],
    ["training.optimizer", /no job has such a field/],
    ["model.channels", /cannot go on with another model\.channels/],
    ["diffusion.variance", /cannot go on with another diffusion\.variance/],
    ["seed", /cannot go on with another seed/],
    ["training.globalBatch", /cannot go on with another training\.globalBatch/],
  ])("cannot be allowed %s", (field, message) => {
    expect(() => checkAllowed([field])).toThrow(message);
  });

  it("can be allowed what may change anyway", () => {
    expect(() => checkAllowed(["training.optimizer.lr", "diffusion.labelDrop", "training.steps"])).not.toThrow();
  });
});
