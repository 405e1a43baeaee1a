import { describe, expect, it } from "vitest";
import { computeEnvironment, cudaDevices, deviceEnvironment } from "../../shared/backends/environment.ts";

describe("the environment of a worker", () => {
  it("gives each worker on CUDA one device, in turn, and nobody else any", () => {
    const four = [0, 1, 2, 3].map((index) => deviceEnvironment("tfjs-node-gpu", index, ["2", "GPU-5a"]));
    expect(four.map((env) => env.CUDA_VISIBLE_DEVICES)).toEqual(["2", "GPU-5a", "2", "GPU-5a"]);
    expect(deviceEnvironment("tfjs-node-gpu", 0, [])).toEqual({});
    expect(deviceEnvironment("tfjs-node", 0, ["0"])).toEqual({});
  });

  it("knows the devices that the user has left visible", () => {
    expect(cudaDevices("1, 3")).toEqual(["1", "3"]);
    expect(cudaDevices("")).toEqual([]);
  });

  it("keeps float32 whole under strict only, and says how many threads", () => {
    const strict = computeEnvironment({ backend: "tfjs-node-gpu", threads: 2, numerics: "strict" });
    expect(strict).toMatchObject({ NVIDIA_TF32_OVERRIDE: "0", TF_DETERMINISTIC_OPS: "1", TF_NUM_INTRAOP_THREADS: "2" });
    expect(strict).toMatchObject({ TF_FORCE_GPU_ALLOW_GROWTH: "true" });
    const mixed = computeEnvironment({ backend: "tfjs-node-gpu", threads: 1, numerics: "mixed" });
    expect(mixed).not.toHaveProperty("NVIDIA_TF32_OVERRIDE");
    expect(computeEnvironment({ backend: "wasm", threads: 1, numerics: "strict" })).not.toHaveProperty(
      "CUDA_CACHE_PATH",
    );
  });
});
