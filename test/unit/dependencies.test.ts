import { readFileSync } from "node:fs";
import { expect, it } from "vitest";

it("every dependency has a row in CONTRIBUTING.md, with a reason, a size, a release and a licence; and no other has", () => {
  const about = JSON.parse(readFileSync("package.json", "utf8"));
  const names = Object.keys({ ...about.dependencies, ...about.peerDependencies, ...about.devDependencies });
  const section = readFileSync("CONTRIBUTING.md", "utf8").split("## Dependencies\n")[1]!.split("\n## ")[0]!;
  const rows = [...section.matchAll(/^\| `(.+?)` \| (.+?) \| ([\d.]+|-) \| (\d{4}(?:-\d\d)?) \| (.+?) \|$/gm)];
  expect(rows.map(([, name]) => name).sort()).toEqual(names.sort());
  for (const [row, , reason] of rows) expect(reason, row).not.toBe("REASON");
});
