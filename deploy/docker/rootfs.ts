// npm run image:rootfs [-- --out DIR --variant wasm|webgpu|cuda]: see build.ts. Says what is in it and how large.

import { parseArgs } from "node:util";
import { describeError, PlumeError } from "../../shared/errors.ts";
import { buildRootfs } from "./build.ts";
import { VARIANTS } from "./native.ts";
import { sizeTable } from "./sizes.ts";

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: { out: { type: "string", default: "dist/rootfs" }, variant: { type: "string", default: "wasm" } },
  });
  const variant = VARIANTS.find((name) => name === values.variant);
  if (!variant)
    throw new PlumeError("INVALID_ARGUMENT", `--variant ${values.variant} is no variant of the image`, {
      remedy: `use one of ${VARIANTS.join(", ")}`,
    });
  const started = performance.now();
  await buildRootfs(values.out, variant);
  process.stdout.write(`${sizeTable(values.out)}\n`);
  process.stdout.write(`${values.out} in ${((performance.now() - started) / 1000).toFixed(1)} s\n`);
}

main().catch((error) => {
  process.stderr.write(`image:rootfs: ${describeError(error)}\n`);
  process.exitCode = error instanceof PlumeError ? error.exitCode : 1;
});
