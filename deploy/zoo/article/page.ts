// The article as one page.

import { note, page, safe, section } from "../../../shared/report/html.ts";
import { when } from "../../../shared/report/numbers.ts";
import { CLAIMS, type ClaimName } from "./index.ts";
import type { Bench } from "./section.ts";

/** Claim by claim, as each is put to the test. */
export async function articlePage(bench: Bench, names: readonly ClaimName[], madeMs: () => number): Promise<string> {
  const sections = [];
  for (const name of names) {
    const { title, claim, experiment, show } = CLAIMS[name];
    sections.push(section(title, `<blockquote>${safe(claim)}</blockquote>`, note(experiment), ...(await show(bench))));
  }
  const head = `<header><h1>Diffusion models and GANs, by experiment</h1><p>${safe(`seeds ${bench.seeds.join(", ")}, seen ${when(madeMs())} UTC`)}</p></header>`;
  const about =
    "<p>What is said of the two, and what plume measures of both with the same data, judges, budget and tuning. Every figure is as measured, whoever it speaks for; the jobs are small, and so is what follows from them.</p>";
  return page("plume: diffusion models and GANs", [head, about, ...sections].join("\n"));
}
