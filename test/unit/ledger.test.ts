// The ledger on a real disk: what a resume keeps and cuts, and what a crash may leave.

import { appendFileSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { openLedger, stepsInLedger } from "../../shared/ledger/ledger.ts";
import type { LedgerLine } from "../../shared/ledger/line.ts";
import { readLedger, wholeLines } from "../../shared/ledger/read.ts";

let folder: string;
let file: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "plume-ledger-"));
  file = join(folder, "ledger.ndjson");
});
afterEach(() => rmSync(folder, { recursive: true }));

const lineOf = (step: number, worker = "w1"): LedgerLine => ({
  step,
  epoch: 0,
  ranges: [[0, step * 4, step * 4 + 4]],
  ids: ["0123abcd"],
  blocks: [{ lo: 0, hi: 1, worker, attempt: 0 }],
  loss: step === 2 ? null : 0.5 / (step + 1),
  gradNorm: 1.25,
  lr: 1e-3,
  gradDigest: "00ff00ff00ff00ff",
  ...(step === 2 ? { skipped: true } : {}),
});

function write(from: number, to: number, worker?: string): void {
  const ledger = openLedger(file, from);
  for (let step = from; step < to; step++) ledger.append(lineOf(step, worker));
  ledger.close();
}

const stepsInFile = () => [...readLedger(file)].map((line) => line.step);

describe("the ledger", () => {
  it("reads back what was appended", () => {
    write(0, 4);
    expect([...readLedger(file)]).toEqual([0, 1, 2, 3].map((step) => lineOf(step)));
  });

  it("has every line on disk as soon as it is appended, for a process that dies at once", async () => {
    const ledger = openLedger(file, 0);
    ledger.append(lineOf(0));
    expect(stepsInFile()).toEqual([0]);
    await ledger.flush();
    ledger.close();
    ledger.close();
  });

  it("cuts on resume the steps that are computed again, and is then the ledger of a run that never stopped", () => {
    write(0, 10);
    const straight = readFileSync(file, "utf8");
    write(6, 10);
    expect(readFileSync(file, "utf8")).toBe(straight);
    write(3, 5, "w2");
    expect([...readLedger(file)].map(({ step, blocks }) => `${step} ${blocks[0]!.worker}`)).toEqual([
      "0 w1",
      "1 w1",
      "2 w1",
      "3 w2",
      "4 w2",
    ]);
    write(0, 0);
    expect(readFileSync(file, "utf8")).toBe("");
    expect(existsSync(`${file}.tmp`)).toBe(false);
  });

  it.each([
    ["half a line", '{"step":5,"epo'],
    ["a line without its newline", JSON.stringify({ step: 5 })],
    ["zeros of a disk that lost its power", "\0\0\0\0\0\0"],
    ["damage with a newline", '{"step":5,"ep\0\0\n'],
  ])("drops %s at the end", (_, torn) => {
    write(0, 5);
    appendFileSync(file, torn);
    write(5, 7);
    expect(stepsInFile()).toEqual([0, 1, 2, 3, 4, 5, 6]);
  });

  it("does not hide damage in the middle: it stays in the file and reading names its line", () => {
    write(0, 3);
    const lines = readFileSync(file, "utf8").split("\n");
    writeFileSync(file, [lines[0], "{oops", lines[2], ""].join("\n"));
    write(3, 4);
    expect(() => stepsInFile()).toThrow(`${file}:2 is no ledger line: JSON`);
  });

  it("names the field of a line that is of another form", () => {
    write(0, 1);
    appendFileSync(file, `${JSON.stringify({ ...lineOf(1), ids: ["xyz"] })}\n`);
    expect(() => stepsInFile()).toThrow(`${file}:2 is no ledger line: ids.0`);
  });

  it("refuses a line of another step than the next", () => {
    const ledger = openLedger(file, 3);
    ledger.append(lineOf(3));
    expect(() => ledger.append(lineOf(5))).toThrow("next line is of step 4, not 5");
    expect(() => ledger.append(lineOf(3))).toThrow("next line is of step 4, not 3");
    ledger.close();
    expect(() => ledger.append(lineOf(4))).toThrow("the ledger is open");
  });

  it("remembers what it cut: a step that is computed again must come out the same", () => {
    write(0, 4);
    expect(stepsInLedger(file)).toBe(4);
    const ledger = openLedger(file, 2);
    expect([...ledger.cut]).toEqual([
      [2, "00ff00ff00ff00ff"],
      [3, "00ff00ff00ff00ff"],
    ]);
    ledger.close();
    expect(stepsInLedger(file)).toBe(2);
    expect(stepsInLedger(join(folder, "none"))).toBeNull();
  });

  it("knows of each step that it cut which digest it had, and cuts everything behind the first of them", () => {
    const [first, second] = ["1111111111111111", "2222222222222222"];
    const lines = [lineOf(0), { ...lineOf(3), gradDigest: first }, { ...lineOf(4), gradDigest: second }, lineOf(1)];
    writeFileSync(file, lines.map((line) => `${JSON.stringify(line)}\n`).join(""));
    const ledger = openLedger(file, 2);
    expect([...ledger.cut]).toEqual([
      [3, first],
      [4, second],
    ]);
    ledger.close();
    expect([...readLedger(file)]).toEqual([lineOf(0)]);
  });

  it("counts its steps by the last line that can be read, and none when it is empty", () => {
    write(3, 5);
    expect(stepsInLedger(file)).toBe(5);
    appendFileSync(file, "{oops\nnull\n{}\n");
    expect(stepsInLedger(file)).toBe(5);
    writeFileSync(file, "");
    expect(stepsInLedger(file)).toBe(0);
  });

  it("cannot be reached any more by a writer that was left over when the next one opened it, and tells it so", () => {
    const leftOver = openLedger(file, 0);
    leftOver.append(lineOf(0));
    const next = openLedger(file, 1);
    const stale = { code: "STALE", message: expect.stringContaining("step 1 is not committed: another coordinator") };
    expect(() => leftOver.append(lineOf(1, "ghost"))).toThrow(expect.objectContaining(stale));
    expect([...readLedger(file)]).toEqual([lineOf(0)]);
    next.append(lineOf(1));
    expect([...readLedger(file)]).toEqual([lineOf(0), lineOf(1)]);
    leftOver.close();
    next.close();
  });

  it("splits lines that are longer than a piece, end at its edge, or hold more than one byte a character", () => {
    const texts = ["ä".repeat(700_000), "x".repeat(2 ** 20 - 1), "", "short", "y".repeat(3 * 2 ** 20)];
    writeFileSync(file, `${texts.join("\n")}\ntorn`);
    const lines = [...wholeLines(file)];
    expect(lines.map(({ text }) => text)).toEqual(texts);
    expect(lines.at(-1)!.end).toBe(Buffer.byteLength(`${texts.join("\n")}\n`));
  });
});
