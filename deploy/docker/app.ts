// /app of the image: the processes as bundles that need no node_modules, but for packages with native code, and the files
// that plume reads beside them (shared/root.ts finds both).

import { cpSync, mkdirSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { ENTRIES, writeBundle } from "../../coordinator/cli/bundle.mjs";
import { ROOT } from "../../shared/root.ts";
import { PLUME_VERSION } from "../../shared/version.ts";
import { licences } from "./licences.ts";
import { namedExports } from "./named-exports.ts";
import { BANNER, ownFolders } from "./own-folders.ts";
import { copyPackage } from "./packages.ts";
import { copyLibraries } from "./system.ts";

/** Files of plume, by the names that `asset()` is given. */
const ASSETS = [
  "LICENSE",
  "deploy/judge/fashion-mnist.safetensors",
  "deploy/judge/fashion-mnist-labels.safetensors",
  "proto/plume/v1",
  "shared/backends/wasm-kernels/kernels.wasm",
  "shared/kernels/kernels.wasm",
  "shared/kernels/thread.mjs",
];
/** Files that bundled packages read beside their code. */
const PACKAGE_FILES = [
  "@grpc/reflection/build/proto/grpc",
  "@tensorflow/tfjs-backend-wasm/package.json",
  "@tensorflow/tfjs-backend-wasm/dist/tfjs-backend-wasm-simd.wasm",
  "grpc-health-check/proto",
];
/** Has native code: stays a package. */
const PACKAGES = ["sharp"];
/** Only a checkout bundles. */
const ABSENT = ["esbuild"];

export async function writeApp(root: string): Promise<void> {
  const app = join(root, "app");
  const { metafile } = await writeBundle(app, ENTRIES, {
    packages: "bundle",
    external: [...PACKAGES, ...ABSENT],
    sourcemap: false,
    legalComments: "none",
    banner: { js: BANNER },
    plugins: [ownFolders, namedExports],
    metafile: true,
  });
  for (const name of ASSETS) take(name, app);
  for (const name of PACKAGE_FILES) take(join("node_modules", name), app);
  const packages = PACKAGES.flatMap((name) => copyPackage(name, createRequire(join(ROOT, "package.json")), app));
  for (const { native } of packages) for (const file of native) copyLibraries(root, file);
  const about = { name: "plume", version: PLUME_VERSION, type: "module", private: true, license: "Apache-2.0" };
  writeFileSync(join(app, "package.json"), `${JSON.stringify(about, null, 2)}\n`);
  writeFileSync(
    join(app, "THIRD-PARTY.txt"),
    licences(
      Object.keys(metafile!.inputs),
      packages.map(({ folder }) => folder),
    ),
  );
}

function take(name: string, app: string): void {
  mkdirSync(dirname(join(app, name)), { recursive: true });
  cpSync(join(ROOT, name), join(app, name), { recursive: true });
}
