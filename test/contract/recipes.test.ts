// What README.md and k8s/README.md tell a person to type, without a cluster: kubectl's own list of flags, the files that are named,
// what kustomize makes of the folders, and the names of the objects. test/e2e/kubernetes/recipes.test.ts runs what can be run.

import { execFileSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import { renderJob } from "../../k8s/render/render.ts";
import { loadJob } from "../../shared/config/load.ts";
import { ROOT } from "../../shared/root.ts";
import { binary } from "../support/kubernetes/server.ts";
import { type RecipeLine, recipeLines } from "../support/recipes.ts";

const kubectl = (...args: readonly string[]) =>
  execFileSync(binary("kubectl"), [...args], { cwd: ROOT, encoding: "utf8" });
const LINES = ["README.md", "k8s/README.md"].flatMap(recipeLines);
const commandsOf = (tool: string) =>
  LINES.flatMap((line) => line.commands.filter(([first]) => first === tool).map((words) => ({ line, words })));
const KUBECTL = commandsOf("kubectl");

/** -f and -k, and what follows them. */
const filesOf = (words: readonly string[], ...flags: readonly string[]) =>
  words.flatMap((word, i) => (flags.includes(word) && words[i + 1] !== "-" ? [words[i + 1]!] : []));

const flagsIn = (help: string) =>
  [...help.matchAll(/^ {2,}(?:(-\w), )?(--[\w-]+)/gm)].flatMap(([, short, long]) => [short, long]);
const GLOBAL = flagsIn(kubectl("options"));

/** Of subcommands such as `rollout status` the longest that has help of its own. */
function helpOf(words: readonly string[]): string {
  const [, verb, noun] = words;
  const nested = ["rollout", "create", "config"].includes(verb!) ? [verb!, noun!] : [verb!];
  return kubectl(...nested, "--help");
}

/** Objects of all example jobs, of base and of the operator, as kubectl names them. */
const KNOWN = new Set(
  [...readdirSync(join(ROOT, "deploy/jobs")).map((file) => `deploy/jobs/${file}`), "k8s/base/job.yaml"].flatMap(
    (file) => {
      const job = loadJob(join(ROOT, file), { set: [] });
      const { name } = job.metadata;
      const pods = [`pod/${name}-coordinator-0`, ...Array.from({ length: 8 }, (_, i) => `pod/${name}-worker-${i}`)];
      const objects = renderJob(job).map(({ kind, metadata }) => `${kind.toLowerCase()}/${metadata.name}`);
      return [`dj/${name}`, `pvc/run-${name}-coordinator-0`, `secret/${name}-page`, ...pods, ...objects];
    },
  ),
)
  .add("deployment/plume-operator")
  .add("dp/distilled");

/** What a command names: kind/name, or a pod's or a kind's name where its verb takes one. */
function namesIn([, verb, ...rest]: readonly string[]): string[] {
  const end = rest.indexOf("--");
  const own = (end < 0 ? rest : rest.slice(0, end)).filter(
    (word, i, all) => !word.startsWith("-") && !TAKES.has(all[i - 1] ?? ""),
  );
  const named = own.filter((word) => /^[a-z]+\/[-a-z0-9]+$/.test(word));
  if (named.length > 0) return named;
  if (verb === "exec" || verb === "logs" || verb === "port-forward") return own.slice(0, 1).map((pod) => `pod/${pod}`);
  const [kind, name] = own;
  return verb !== "create" && kind && name && /^[a-z]+$/.test(kind) ? [`${kind}/${name}`] : [];
}

/** Flags whose value is a word of its own. */
const TAKES = new Set(["-n", "-f", "-k", "-l", "-o", "-p"]);

const label = ({ line, words }: { readonly line: RecipeLine; readonly words: readonly string[] }) =>
  [`${line.at}: ${words.join(" ")}`, words] as const;

describe.each(KUBECTL.map(label))("%s", (_, words) => {
  it("has flags that kubectl knows, and files that are there", () => {
    const end = words.indexOf("--");
    const flags = (end < 0 ? words : words.slice(0, end)).filter((word) => /^--?[a-z]/.test(word));
    const known = [...GLOBAL, ...flagsIn(helpOf(words))];
    for (const flag of flags) expect(known).toContain(flag.replace(/=.*/s, ""));
    for (const file of filesOf(words, "-f", "-k")) expect(existsSync(join(ROOT, file)), file).toBe(true);
    for (const folder of [...filesOf(words, "-k"), ...(words[1] === "kustomize" ? [words[2]!] : [])])
      expect(kubectl("kustomize", folder)).toContain("kind: ");
  });

  it("names objects that a job of this repository has", () => {
    for (const name of namesIn(words)) expect([...KNOWN]).toContain(name);
  });
});

it("there is something to check, of each way", () => {
  const verbs = new Set(KUBECTL.map(({ words }) => words[1]));
  for (const verb of ["apply", "get", "scale", "patch", "wait", "logs", "exec", "delete", "describe"])
    expect(verbs).toContain(verb);
  expect(KUBECTL.flatMap(({ words }) => namesIn(words)).length).toBeGreaterThan(15);
  expect(LINES.filter(({ isRun }) => isRun).length).toBeGreaterThan(10);
});

it("`plume render` of a recipe renders", () => {
  const renders = commandsOf("npx").filter(({ words }) => words[1] === "plume" && words[2] === "render");
  expect(renders.length).toBeGreaterThan(1);
  for (const { words } of renders)
    expect(
      execFileSync(process.execPath, ["coordinator/cli/plume.mjs", ...words.slice(2)], { cwd: ROOT, encoding: "utf8" }),
    ).toMatch(/kind: (StatefulSet|DiffusionPipeline)/);
});

it("every condition and reason of the table of troubles is one that the operator gives", () => {
  const sources = readdirSync(join(ROOT, "k8s/operator"))
    .filter((file) => file.endsWith(".ts"))
    .map((file) => readFileSync(join(ROOT, "k8s/operator", file), "utf8"))
    .join("");
  const table = readFileSync(join(ROOT, "k8s/README.md"), "utf8").split("## When it does not go on")[1]!;
  const cells = [...table.matchAll(/^\| .* \| (\w+): (`.*) \| .* \|$/gm)];
  expect(cells.length).toBeGreaterThan(10);
  for (const [, condition, reasons] of cells) {
    expect(sources, condition).toMatch(new RegExp(`\\b${condition}: `));
    for (const [, reason] of reasons!.matchAll(/`(\w+)`/g)) expect(sources, reason).toContain(`"${reason}"`);
  }
});

it("the image of the recipes is the one that a job asks for", () => {
  const operator = kubectl("kustomize", "k8s/operator");
  const job = loadJob(join(ROOT, "deploy/jobs/first.yaml"), { set: [] });
  const { image } = job.spec.kubernetes;
  expect(operator).toContain(`image: ${image}\n`);
  for (const tool of ["docker", "kind", "minikube"])
    for (const { words } of commandsOf(tool).filter(({ words }) => words.some((word) => word.startsWith("plume:"))))
      expect(words).toContain(image);
  expect(parse(readFileSync(join(ROOT, "deploy/jobs/first.yaml"), "utf8")).metadata.name).toBe("first");
});
