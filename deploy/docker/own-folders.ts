// What packages that are no modules expect: require(), and the folder of their own code, beside which some read files. In a
// bundle that code lies elsewhere: it is told where the package's files are in the image, below /app/node_modules.

import { readFileSync } from "node:fs";
import { dirname, relative } from "node:path";
import type { Plugin } from "esbuild";
import { ROOT } from "../../shared/root.ts";

/** A global of every bundle: such code is no module, and does not know import.meta. */
const APP_FOLDER = "__app";

/** Goes at the head of every file of the bundle. */
export const BANNER = `import { createRequire as __createRequire } from "node:module";
const require = __createRequire(import.meta.url), ${APP_FOLDER} = import.meta.dirname;`;

export const ownFolders: Plugin = {
  name: "own-folders",
  setup(build) {
    build.onLoad({ filter: /\/node_modules\/.*\.c?js$/, namespace: "file" }, ({ path }) => {
      const source = readFileSync(path, "utf8");
      if (!/\b__dirname\b/.test(source)) return undefined;
      const folder = JSON.stringify(`/${relative(ROOT, dirname(path))}`);
      return { contents: source.replaceAll(/\b__dirname\b/g, `(${APP_FOLDER} + ${folder})`), loader: "js" };
    });
  },
};
