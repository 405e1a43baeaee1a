// npm run zoo [-- --only NAME]: trains the small job of each system, measures it, and writes a page of each and one of all.

import { mkdirSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import { describeError, PlumeError } from "../../shared/errors.ts";
import { parseOptions } from "../../shared/options.ts";
import { CLAIM_NAMES } from "./article/index.ts";
import { articlePage } from "./article/page.ts";
import { variants } from "./article/systems.ts";
import { type Measured, openZoo } from "./measure.ts";
import { indexPage, systemPage } from "./page.ts";
import { resultsText } from "./results.ts";
import { SYSTEM_NAMES, SYSTEMS } from "./systems.ts";

const USAGE = `npm run zoo [-- options]: trains the small job of each system with three seeds, measures it, writes a page of each

      --only NAMES     of those that --list tells (default: all); the models that a job names are trained first
      --seeds LIST     seeds of training (default: 0,1,2; of the article 0,1,2,3,4)
      --count N        images a seed that the table is made of (default: 500)
      --sweep-count N  images a point of a curve (default: 200)
      --bits-count N   images whose bits a dimension are computed, each seed (default: 100)
      --out DIR        runs and pages (default: runs/zoo)
      --set KEY=VALUE  a field of every job, as plume train has it
      --claims NAMES   sections of the article: ${CLAIM_NAMES.join(", ")} (default: all)
      --list           the systems and their jobs

--only article makes one page of what is said of GANs and diffusion models, claim by claim, with seeds 0 to 4: hours.

Stopped by Ctrl-C it goes on where it was when it is started again; what is there is not computed again.

Examples:
  npm run zoo
  npm run zoo -- --only edm
  npm run zoo -- --only classifier,guided
  npm run zoo -- --only heartbeat --seeds 0
  npm run zoo -- --only article
  npm run zoo -- --only article --claims saddle,cost,downstream --seeds 0
  npm run zoo -- --only vp,ve --seeds 0 --count 100 --sweep-count 100`;

const OPTIONS = {
  only: { type: "string", default: SYSTEM_NAMES.join(",") },
  seeds: { type: "string" },
  claims: { type: "string" },
  count: { type: "string", default: "500" },
  "sweep-count": { type: "string", default: "200" },
  "bits-count": { type: "string", default: "100" },
  out: { type: "string", default: "runs/zoo" },
  set: { type: "string", multiple: true, default: [] as string[] },
  list: { type: "boolean", default: false },
  help: { type: "boolean", short: "h", default: false },
} as const;

const listed = (text: string): string[] => text.split(",").map((each) => each.trim());

/** Those of `known` that are listed. @throws PlumeError INVALID_ARGUMENT for another. */
function chosen<N extends string>(flag: string, what: string, text: string, known: readonly N[]): N[] {
  return listed(text).map((name) => {
    const found = known.find((each) => each === name);
    if (found) return found;
    throw new PlumeError("INVALID_ARGUMENT", `${flag} ${name} is no ${what}`, { remedy: `use ${known.join(", ")}` });
  });
}

function whole(flag: string, text: string, least: number): number {
  const value = Number(text);
  if (Number.isSafeInteger(value) && value >= least && text.trim() !== "") return value;
  throw new PlumeError("INVALID_ARGUMENT", `${flag} ${text} is not a whole number of at least ${least}`, {
    remedy: "see npm run zoo -- --help",
  });
}

async function main(signal: AbortSignal): Promise<void> {
  const options = parseOptions(OPTIONS, "npm run zoo -- --help");
  if (options.help) return console.log(USAGE);
  if (options.list)
    return console.log(
      [
        ...Object.entries(SYSTEMS).map(
          ([name, { title, job }]) => `${name.padEnd(24)} ${title} (deploy/jobs/${job}.yaml)`,
        ),
        `${"article".padEnd(24)} a page of claims put to the test: ${CLAIM_NAMES.join(", ")}`,
      ].join("\n"),
    );
  const ofArticle = options.only === "article";
  if (options.claims !== undefined && !ofArticle)
    throw new PlumeError("INVALID_ARGUMENT", `--claims ${options.claims} are of the article`, {
      remedy: "add --only article, or leave it out",
    });
  const claims = chosen("--claims", "claim of the article", options.claims ?? CLAIM_NAMES.join(","), CLAIM_NAMES);
  const names = ofArticle ? [] : chosen("--only", "system of the zoo, nor the article", options.only, SYSTEM_NAMES);
  const zoo = openZoo(ofArticle ? { ...SYSTEMS, ...variants() } : SYSTEMS, {
    out: options.out,
    seeds: listed(options.seeds ?? (ofArticle ? "0,1,2,3,4" : "0,1,2")).map((seed) => whole("--seeds", seed, 0)),
    count: whole("--count", options.count, 100),
    sweepCount: whole("--sweep-count", options["sweep-count"], 100),
    bitsCount: whole("--bits-count", options["bits-count"], 2),
    set: options.set,
    signal,
    say: (line: string) => console.error(line),
  });
  mkdirSync(options.out, { recursive: true });
  const write = (file: string, text: string) => {
    const path = join(options.out, file);
    writeFileSync(path, text);
    return relative(process.cwd(), path);
  };
  if (ofArticle)
    return console.log(`article: ${write("article.html", await articlePage(zoo.bench, claims, Date.now))}`);
  const all: Measured[] = [];
  for (const name of names) {
    const measured = await zoo.measure(name);
    all.push(measured);
    console.log(`${name}: ${write(`${name}.html`, systemPage(measured, Date.now()))}`);
  }
  console.log(`all: ${write("index.html", indexPage(all, Date.now()))}`);
  console.log(`\n${resultsText(all)}`);
}

const abort = new AbortController();
for (const signal of ["SIGINT", "SIGTERM"] as const)
  process.once(signal, () => abort.abort(new PlumeError("INTERRUPTED", "interrupted; started again, the zoo goes on")));
main(abort.signal).catch((error) => {
  console.error(`plume: ${describeError(error)}`);
  process.exitCode = error instanceof PlumeError ? error.exitCode : 1;
});
