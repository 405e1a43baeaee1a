import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";
import { readSummary } from "../../shared/summary.ts";
import { scratchFolder, tinyJob, until } from "../support/plume.ts";
import { startInTerminal } from "../support/terminal.ts";

const PLUME = fileURLToPath(new URL("../../coordinator/cli/plume.mjs", import.meta.url));

it("a run in a terminal is a block that renews itself; after Ctrl-C it says how to go on, and that command does", async () => {
  using scratch = scratchFolder();
  const job = tinyJob(scratch.path);
  const out = scratch.file("run");
  const train = ["node", PLUME, "train", "-f", job, "--out", out, "--steps", "5000"];
  using run = startInTerminal(100, 30, train);
  const { screen } = run;
  const seen = (what: RegExp) => screen.shown.some((line) => what.test(line));
  await until("a line a worker", () => seen(/^ {2}worker-0 +ready/) && seen(/^ {2}worker-1 +ready/));
  await until("ten steps", () => seen(/^tiny +\S*.* step [1-9]\d+\/5000 /));
  expect(screen.cursorShown).toBe(false);
  expect(seen(/^Training: 2 workers ready/)).toBe(true);

  run.resize(40, 12);
  const before = screen.pictures;
  // On a busy machine some pictures are as wide as it was: they fold, and are gone with the first that knows.
  const steps = () => screen.shown.filter((line) => /step \d+\/5000/.test(line));
  await until("the block of a narrow terminal, once", () => screen.pictures > before + 2 && steps().length === 1);

  run.resize(100, 30);
  run.interrupt();
  expect(await run.ended).toBe(130);
  expect(screen.cursorShown).toBe(true);
  const lines = screen.all.filter(Boolean);
  expect(lines.filter((line) => /^ {2}worker-\d+ +ready/.test(line))).toEqual([]);
  const stopped = readSummary(join(out, "summary.json"));
  expect(stopped.outcome).toBe("stopped");

  const last = lines.slice(lines.findIndex((line) => line.startsWith("to go on where it stopped: "))).join("");
  const again = last.replace("to go on where it stopped: plume ", "");
  expect(again).toBe(train.slice(2).join(" "));
  using more = startInTerminal(
    200,
    30,
    ["node", PLUME, ...again.replace("5000", String(stopped.steps + 2)).split(" ")],
    {
      NO_COLOR: "1",
    },
  );
  expect(await more.ended).toBe(0);
  expect(readSummary(join(out, "summary.json"))).toMatchObject({ outcome: "complete", firstStep: stopped.steps });
  expect(more.screen.all.filter(Boolean).at(-1)).toMatch(/^to draw samples: plume sample \S+ -o tiny\.png$/);
});
