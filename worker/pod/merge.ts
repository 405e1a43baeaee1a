// The metrics of several processes as those of one target: families once, with the series of all. Pure.

interface Family {
  /** Its HELP and TYPE lines. */
  readonly head: Map<string, string>;
  readonly series: string[];
}

/** @param texts in Prometheus' text format, each of which names its process in every series' labels. */
export function mergeMetrics(texts: readonly string[]): string {
  const families = new Map<string, Family>();
  for (const text of texts) {
    let family = "";
    for (const line of text.split("\n")) {
      if (line === "") continue;
      const [, kind, name] = /^# (HELP|TYPE) (\S+)/.exec(line) ?? [];
      if (name !== undefined) family = name;
      const known: Family = families.get(family) ?? { head: new Map(), series: [] };
      families.set(family, known);
      if (kind !== undefined) known.head.set(kind, line);
      else if (!line.startsWith("#")) known.series.push(line);
    }
  }
  const lines = [...families.values()].flatMap(({ head, series }) => [...head.values(), ...series]);
  return lines.map((line) => `${line}\n`).join("");
}
