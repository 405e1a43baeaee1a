// The Dockerfile, as far as it can be held without Docker: hadolint, and rules of our own. That its builder's script makes
// what the image should hold is in test/e2e/image.test.ts.

import { execFileSync } from "node:child_process";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { VARIANTS } from "../../deploy/docker/native.ts";
import { cacheFolder } from "../../shared/cache-folder.ts";
import { ROOT } from "../../shared/root.ts";
import { scratchFolder } from "../support/plume.ts";

const FILE = join(ROOT, "deploy/docker/Dockerfile");

/** What it finds; nothing when all is well. */
function hadolint(file: string): string {
  const binary = cacheFolder("hadolint/current/hadolint");
  if (!existsSync(binary)) throw new Error("hadolint is not here: npm run setup:hadolint");
  return execFileSync(binary, ["--no-fail", "--no-color", file], { encoding: "utf8" });
}

interface Stage {
  readonly name: string;
  readonly from: string;
  /** One a line, continued ones joined. */
  readonly steps: readonly string[];
}

function stages(): Stage[] {
  const lines = readFileSync(FILE, "utf8")
    .replaceAll(/^#.*\n/gm, "")
    .replaceAll(/\\\n\s*/g, "")
    .split("\n")
    .filter(Boolean);
  const found: { name: string; from: string; steps: string[] }[] = [];
  for (const line of lines) {
    const begins = /^FROM (\S+) AS (\S+)$/.exec(line);
    if (begins) found.push({ from: begins[1]!, name: begins[2]!, steps: [] });
    else found.at(-1)?.steps.push(line);
  }
  return found;
}

describe("the Dockerfile", () => {
  it("has nothing that hadolint finds, which finds what is spoilt", () => {
    expect(hadolint(FILE)).toBe("");
    using scratch = scratchFolder();
    writeFileSync(scratch.file("Dockerfile"), `${readFileSync(FILE, "utf8").replace("WORKDIR /src", "WORKDIR src")}`);
    expect(hadolint(scratch.file("Dockerfile"))).toMatch(/DL3000/);
  });

  it("makes each variant by the script, and the last stage is the folder alone", () => {
    const all = stages();
    for (const variant of VARIANTS) {
      const suffix = variant === "wasm" ? "" : `-${variant}`;
      const builder = all.find(({ name }) => name === `rootfs${suffix}`)!;
      expect(builder.from).toBe("source");
      const wanted = `npm run -s image:rootfs -- --out /rootfs${suffix && ` --variant ${variant}`}`;
      expect(builder.steps.at(-1)).toMatch(new RegExp(`${wanted}$`));
      const copies = all.find(({ name }) => name === variant)!.steps.filter((step) => step.startsWith("COPY"));
      expect(copies.length).toBeGreaterThan(0);
      for (const copy of copies)
        expect(copy).toMatch(new RegExp(`^COPY --from=rootfs${suffix} (--chown=65532:65532 )?/rootfs/`));
    }
    const last = all.at(-1)!;
    expect(last).toMatchObject({ name: "wasm", from: "scratch" });
    expect(last.steps).toEqual([
      "COPY --from=rootfs /rootfs/ /",
      "USER 65532:65532",
      "WORKDIR /var/lib/plume",
      'ENTRYPOINT ["plume"]',
      'CMD ["--help"]',
    ]);
  });

  it("runs nothing as root in the end, fetches nothing by URL, names its base by version, and keeps no secret", () => {
    for (const { name, from, steps } of stages()) {
      expect(["scratch", "source", `\${NODE}`]).toContain(from);
      if ((VARIANTS as readonly string[]).includes(name)) {
        const user = steps.indexOf("USER 65532:65532");
        expect(user, name).toBeGreaterThan(0);
        expect(steps.slice(user).filter((step) => /^(RUN|COPY|USER)/.test(step))).toEqual(["USER 65532:65532"]);
      }
      for (const step of steps) expect(step).not.toMatch(/^ADD|curl|wget|https?:|TOKEN|PASSWORD|SECRET/);
    }
    expect(readFileSync(FILE, "utf8")).toMatch(/^ARG NODE=node:\d+\.\d+\.\d+-bookworm-slim$/m);
  });
});
