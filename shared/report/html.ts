// HTML by small functions. Whatever comes from a run's files goes through `safe`.

import { redact } from "../secrets.ts";
import { SCRIPT } from "./script.ts";
import { STYLE } from "./style.ts";

/** Text for content and attributes, without secrets. */
export const safe = (text: string): string => redact(text).replace(/[<>&"']/g, (c) => `&#${c.charCodeAt(0)};`);

/** The policy of the page: nothing from anywhere. */
const POLICY = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:";

export function page(title: string, body: string): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta http-equiv="Content-Security-Policy" content="${POLICY}">
<title>${safe(title)}</title>
<style>${STYLE}</style>
</head>
<body>
<main>
${body}
</main>
<script>${SCRIPT}</script>
</body>
</html>
`;
}

export const section = (title: string, ...content: readonly string[]): string =>
  content.every((each) => each === "") ? "" : `<section><h2>${safe(title)}</h2>\n${content.join("\n")}\n</section>`;

export const figure = (title: string, content: string): string =>
  `<figure><figcaption>${safe(title)}</figcaption>${content}</figure>`;

export const note = (text: string): string => `<p class="note">${safe(text)}</p>`;

/** Facts as name and value. */
export const facts = (rows: readonly (readonly [string, string])[]): string =>
  `<dl class="facts">${rows.map(([name, value]) => `<div><dt>${safe(name)}</dt><dd>${safe(value)}</dd></div>`).join("")}</dl>`;

export interface TableOptions {
  /** Columns of numbers, which are set to the right. */
  readonly numbers?: readonly number[];
  /** Rows by their index that deserve to be seen. */
  readonly marked?: ReadonlySet<number>;
}

/** The first row is the heading. Empty without a second one. */
export function table(rows: readonly (readonly string[])[], { numbers = [], marked }: TableOptions = {}): string {
  const [head, ...body] = rows;
  if (!head || body.length === 0) return "";
  const cell = (kind: "th" | "td") => (text: string, column: number) => {
    const tag = text === "" ? "td" : kind; // a heading must say something
    return `<${tag}${numbers.includes(column) ? ' class="n"' : ""}>${safe(text)}</${tag}>`;
  };
  const row = (cells: readonly string[], index: number) =>
    `<tr${marked?.has(index) ? ' class="marked"' : ""}>${cells.map(cell("td")).join("")}</tr>`;
  return `<div class="scroll"><table><thead><tr>${head.map(cell("th")).join("")}</tr></thead><tbody>${body.map(row).join("\n")}</tbody></table></div>`;
}

export const folded = (title: string, content: string): string =>
  content === "" ? "" : `<details><summary>${safe(title)}</summary>${content}</details>`;
