import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { PLUME_VERSION } from "../../shared/version.ts";

it("the version in the code is the package's", () => {
  const { version } = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8")) as {
    version: string;
  };
  expect(PLUME_VERSION).toBe(version);
});
