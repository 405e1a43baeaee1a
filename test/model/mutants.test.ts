// Does the model see anything? Defects are put into copies of the coordinator's own source, one at a time; the schedules
// must find each of them, by the invariant that it breaks.

import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import fc from "fast-check";
import { afterAll, describe, expect, it } from "vitest";
import type { Parts } from "./actors.ts";
import { faulty, lying } from "./schedules.ts";

interface Mutant {
  readonly name: string;
  readonly file: string;
  readonly from: string;
  readonly to: string;
  readonly breaks: RegExp;
  readonly schedules?: typeof faulty;
}

const MUTANTS: readonly Mutant[] = [
  {
    name: "skips the incarnation check",
    file: "dispatcher.ts",
    from: "if (!tuple || tuple.job !== job || tuple.incarnation !== incarnation)",
    to: "if (!tuple || tuple.job !== job)",
    breaks: /earlier incarnation counts/,
  },
  {
    name: "commits without the last leaf",
    file: "dispatcher.ts",
    from: "collected === current.V",
    to: "collected >= current.V - 1",
    breaks: /commits without leaf|with leaf \d+ missing|is summed/,
  },
  {
    name: "commits before the last payload is summed",
    file: "dispatcher.ts",
    from: "collected === current.V",
    to: "current.works.every((work) => work.accepted)",
    breaks: /before block \d+ is summed|with leaf \d+ missing|without leaf/,
  },
  {
    name: "takes a result of any attempt of the worker",
    file: "aggregation/round.ts",
    from: "l.worker === worker && l.attempt === attempt);\n      if (lease &&",
    to: "l.worker === worker);\n      if (lease &&",
    breaks: /the lease of another attempt/,
  },
  {
    name: "forgets what a lost worker held",
    file: "aggregation/round.ts",
    from: "pending.push(lease.block);",
    to: "",
    breaks: /stands still|with leaf \d+ missing|without leaf/,
  },
  {
    name: "leases to members that are not ready",
    file: "membership/decide.ts",
    from: '.filter((member) => member.phase === "ready")',
    to: "",
    breaks: /a lease to w\d, which is (joining|leaving)|invariant broken: block/,
  },
  {
    name: "leases to suspects",
    file: "dispatcher.ts",
    from: "quorum.ready.filter(({ suspect }) => suspect === null)",
    to: "[...quorum.ready]",
    breaks: /which is suspect/,
  },
  {
    name: "grants the parameters of the step before",
    file: "dispatcher.ts",
    from: "paramsVersion: version,",
    to: "paramsVersion: version - 1,",
    breaks: /a lease for version/,
  },
  {
    name: "never expels anyone",
    file: "membership/members.ts",
    from: 'if (verdict === "expel") expelled.push({ id, reason });',
    to: 'if (verdict === "expel") expelled.length = 0;',
    breaks: /stands still/,
  },
  {
    name: "does not compare what was audited",
    file: "aggregation/round.ts",
    from: "if (!work.audited) return accept(work, 0);",
    to: "return accept(work, 0);",
    breaks: /a gradient of other parameters or work|computes wrong numbers/,
    schedules: lying,
  },
  {
    name: "believes the first of three",
    file: "aggregation/round.ts",
    from: "const liar = held.find(({ result }) => result.digest !== right.digest)?.result;",
    to: "const liar = held.length > 2 ? held.find(({ result }) => result.digest === right.digest)?.result : undefined;",
    breaks: /a gradient of other parameters or work|computes wrong numbers|stands still/,
    schedules: lying,
  },
];

/** One for all machines: which of its invariants a defect breaks first depends on the schedules. */
const SEED = Number(process.env.PLUME_MODEL_SEED ?? 1);

const COORDINATOR = resolve(import.meta.dirname, "../../coordinator");
const scratch = mkdtempSync(join(tmpdir(), "plume-mutants-"));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

/** A copy of the coordinator with one defect; what it imports from elsewhere stays where it is. */
async function mutate({ file, from, to }: Mutant, index: number): Promise<Parts> {
  const copy = join(scratch, String(index));
  for (const part of [
    "aggregation",
    "planner",
    "membership",
    "rpc",
    "reporting",
    "control",
    "accounting",
    "dispatcher.ts",
  ])
    cpSync(join(COORDINATOR, part), join(copy, part), { recursive: true });
  const target = join(copy, file);
  const source = readFileSync(target, "utf8");
  expect(source.split(from).length, `${file} has the code that is mutated, once`).toBe(2);
  writeFileSync(target, source.replace(from, to));
  for (const entry of readdirSync(copy, { recursive: true, encoding: "utf8" })) {
    if (!entry.endsWith(".ts")) continue;
    const path = join(copy, entry);
    const root = resolve(COORDINATOR, "..");
    const text = readFileSync(path, "utf8").replaceAll(/"(?:\.\.\/)+(shared|proto)\//g, `"${root}/$1/`);
    writeFileSync(path, text);
  }
  const load = (name: string) => import(/* @vite-ignore */ pathToFileURL(join(copy, name)).href);
  const [{ createDispatcher }, { createMembership }, { createSessions }] = await Promise.all([
    load("dispatcher.ts"),
    load("membership/members.ts"),
    load("rpc/session.ts"),
  ]);
  return { createDispatcher, createMembership, createSessions };
}

describe("a coordinator with a defect is caught that", () => {
  it.each(MUTANTS.map((mutant, index) => ({ ...mutant, index })))("$name", async (mutant) => {
    const parts = await mutate(mutant, mutant.index);
    const schedules = mutant.schedules ?? faulty;
    const { failed, errorInstance } = await fc.check(schedules(parts), {
      numRuns: 20_000,
      seed: SEED,
      endOnFailure: true,
    });
    expect(failed, "the schedules find it").toBe(true);
    expect(String((errorInstance as Error)?.message)).toMatch(mutant.breaks);
  });
});
