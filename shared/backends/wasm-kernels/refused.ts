// Kernels of the wasm backend whose results are wrong and that plume does not need: they fail by name.

import { PlumeError } from "../../errors.ts";
import { defineKernel, type HeapKernels } from "./heap.ts";

const REFUSED: Readonly<Record<string, string>> = {
  Conv3DBackpropInputV2: "train two-dimensional convolutions",
};

export function registerRefusals(kernels: HeapKernels): void {
  for (const [name, remedy] of Object.entries(REFUSED))
    defineKernel(name, kernels, () => {
      throw new PlumeError("FAILED_PRECONDITION", `${name}: the wasm backend computes a wrong result`, { remedy });
    });
}
