// Every case of every family, on one backend.

import { beforeAll, describe, expect, it } from "vitest";
import type { BackendName } from "../../shared/backends/backend.ts";
import { openBackend } from "../../shared/backends/index.ts";
import { judge } from "./compare.ts";
import { FAMILIES } from "./families/index.ts";
import { loadFamily } from "./load.ts";

export function goldenSuite(backend: BackendName): void {
  beforeAll(() => openBackend(backend));

  describe.each(Object.entries(FAMILIES))("golden vectors of %s", (name, family) => {
    const cases = loadFamily(name);
    it.each((cases ?? []).map((golden) => [golden.name, golden] as const))("%s", async (_name, golden) => {
      expect(await judge(family, golden)).toEqual({ ok: true, message: expect.any(String) });
    });
    it("has cases", () => expect(cases?.length).toBeGreaterThan(0));
  });
}
