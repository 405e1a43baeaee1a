// `const { a } = await import("package")` works on a package that is no module because Node finds out its names. A bundle
// does not: here each such package is loaded once at build time, and gets a module that exports its names.

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join, relative } from "node:path";
import type { Plugin } from "esbuild";
import { ROOT } from "../../shared/root.ts";

const NAMESPACE = "named-exports";
const load = createRequire(import.meta.url);

export const namedExports: Plugin = {
  name: NAMESPACE,
  setup(build) {
    build.onResolve({ filter: /^[^./]/ }, async ({ path, kind, resolveDir, pluginData }) => {
      if (kind !== "dynamic-import" || pluginData === NAMESPACE || path.startsWith("node:")) return undefined;
      const found = await build.resolve(path, { kind, resolveDir, pluginData: NAMESPACE });
      return found.external || isModule(found.path)
        ? found
        : { path: relative(ROOT, found.path), namespace: NAMESPACE };
    });
    build.onLoad({ filter: /^/, namespace: NAMESPACE }, ({ path: inRoot }) => {
      const path = join(ROOT, inRoot);
      const names = Object.keys(load(path)).filter((name) => name !== "default");
      const contents = `const __all = require(${JSON.stringify(path)});\nexport const { ${names.join(", ")} } = __all;\nexport default __all;`;
      return { contents, resolveDir: "/" };
    });
  },
};

const isModule = (file: string): boolean =>
  file.endsWith(".mjs") || /^(import|export)\b/m.test(readFileSync(file, "utf8"));
