import { readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { ROOT } from "../../shared/root.ts";
import { PLUME_VERSION } from "../../shared/version.ts";

it("the version in the code is the package's", () => {
  const { version } = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8")) as {
    version: string;
  };
  expect(PLUME_VERSION).toBe(version);
});

it("plume can be run by its name: npx needs the file to be executable", () => {
  const { bin } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8")) as { bin: { plume: string } };
  expect(statSync(join(ROOT, bin.plume)).mode & 0o111).toBe(0o111);
});
