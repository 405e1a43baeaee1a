// What native backends read from the environment, once, when their library is loaded or their device is first used.

import { readdirSync } from "node:fs";
import { cacheFolder } from "../cache-folder.ts";

/** Of a job's `workers`. */
export interface ComputeChoice {
  readonly backend: string;
  readonly threads: number;
  readonly numerics: "strict" | "mixed";
}

/**
 * Set before the backend opens, on the main thread of its process: only there do changes reach native code.
 * On CUDA, kernels give the same bits at every run (TF_DETERMINISTIC_OPS); under `strict` products keep all bits of
 * float32, which TF32 would not; and what the driver compiles for a new GPU is kept for the next process.
 */
export function computeEnvironment({ backend, threads, numerics }: ComputeChoice): Readonly<Record<string, string>> {
  const processor = {
    TF_NUM_INTRAOP_THREADS: String(threads),
    TF_NUM_INTEROP_THREADS: "1",
    OMP_NUM_THREADS: String(threads),
    TF_CPP_MIN_LOG_LEVEL: "2",
  };
  if (backend !== "tfjs-node-gpu") return processor;
  return {
    ...processor,
    TF_FORCE_GPU_ALLOW_GROWTH: "true", // TensorFlow takes all of the memory otherwise
    TF_DETERMINISTIC_OPS: "1",
    ...(numerics === "strict" ? { NVIDIA_TF32_OVERRIDE: "0" } : {}),
    CUDA_CACHE_PATH: cacheFolder("cuda"),
    CUDA_CACHE_MAXSIZE: String(4 * 2 ** 30),
  };
}

/** One CUDA device a worker process, in turn: the only way to choose one. @param index of the worker on this machine. */
export function deviceEnvironment(
  backend: string,
  index: number,
  devices: readonly string[],
): Readonly<Record<string, string>> {
  if (backend !== "tfjs-node-gpu" || devices.length === 0) return {};
  return { CUDA_VISIBLE_DEVICES: devices[index % devices.length]! };
}

/** This machine's CUDA devices, or those of them that the user has left visible. */
export function cudaDevices(visible: string | undefined = process.env.CUDA_VISIBLE_DEVICES): string[] {
  if (visible !== undefined)
    return visible
      .split(",")
      .map((name) => name.trim())
      .filter(Boolean);
  try {
    return readdirSync("/proc/driver/nvidia/gpus").map((_, index) => String(index));
  } catch {
    return [];
  }
}
