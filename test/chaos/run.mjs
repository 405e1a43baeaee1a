// npm run test:chaos            the chaos suite, as CI runs it
// npm run test:chaos -- --soak  the suite with more of everything, then the punisher with one seed after another,
//                               until a run ends with other bits or Ctrl-C
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../..", import.meta.url));
const args = process.argv.slice(2);
const soak = args.includes("--soak");
const run = (command, words, env = {}) => {
  const { status } = spawnSync(process.execPath, [command, ...words], {
    cwd: root,
    stdio: "inherit",
    env: { ...process.env, ...env },
  });
  if (status !== 0) process.exit(status ?? 1);
};

const vitest = ["run", "--config", "test/vitest.config.ts", "--project", "chaos"];
run(
  "node_modules/vitest/vitest.mjs",
  [...vitest, ...args.filter((arg) => arg !== "--soak")],
  soak ? { PLUME_SOAK: "1" } : {},
);
for (let seed = 1; soak; seed++)
  run("--import", ["tsx", "test/chaos/punisher.ts", "--faults", "200", "--every", "1", "--seed", String(seed)]);
