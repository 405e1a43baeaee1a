// A Vulkan that computes on the processor, for machines without a GPU: `npm run setup:webgpu -- --swiftshader`. Dawn looks
// for libvulkan.so.1 and finds the one that is loaded already, so nothing has to be installed on the machine. Unlike a GPU
// it has no memory of its own to run out of, is never lost, rounds as this processor does, and needs a hundred times as long.

import { existsSync } from "node:fs";
import { cacheFolder } from "../../shared/cache-folder.ts";
import { PlumeError } from "../../shared/errors.ts";

const folder = () => cacheFolder("swiftshader");

/** For processes that a test starts. @throws PlumeError FAILED_PRECONDITION when it is not set up. */
export function swiftShader(): Record<string, string> {
  if (!existsSync(`${folder()}/libvk_swiftshader.so`))
    throw new PlumeError("FAILED_PRECONDITION", `SwiftShader is not in ${folder()}`, {
      remedy: "npm run setup:webgpu -- --swiftshader",
    });
  const libraries = [folder(), process.env.LD_LIBRARY_PATH].filter(Boolean).join(":");
  return { VK_ICD_FILENAMES: `${folder()}/vk_swiftshader_icd.json`, LD_LIBRARY_PATH: libraries };
}

/** dlopen's flags: symbols now, and never unloaded again. */
const NOW_AND_FOR_GOOD = 0x1002;

/** For this process, and those that it starts. */
export function useSwiftShader(): void {
  Object.assign(process.env, swiftShader());
  try {
    process.dlopen({ exports: {} }, `${folder()}/libvulkan.so.1`, NOW_AND_FOR_GOOD);
  } catch {
    // It is no addon of Node's, but now it is loaded.
  }
}
