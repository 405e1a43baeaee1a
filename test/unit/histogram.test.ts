// Percentiles against known answers; the chart is a picture that a reader of XML accepts, with one row a series.

import fc from "fast-check";
import sharp from "sharp";
import { describe, expect, it } from "vitest";
import { histogramChart, percentile } from "../../shared/data/histogram.ts";

describe("percentile", () => {
  it.each([
    [5, 15],
    [30, 20],
    [40, 20],
    [50, 35],
    [100, 50],
    [0, 15],
  ])("by nearest rank: p%i of 15, 20, 35, 40, 50 is %i", (p, expected) => {
    expect(percentile([50, 15, 40, 20, 35], p)).toBe(expected);
  });

  it("of 1 to 100 is p itself, in any order, and leaves the values as they are", () => {
    const values = Object.freeze(Array.from({ length: 100 }, (_, i) => ((i * 37) % 100) + 1));
    for (let p = 1; p <= 100; p++) expect(percentile(values, p)).toBe(p);
  });

  it("of nothing is NaN, of one value that value", () => {
    expect(percentile([], 50)).toBeNaN();
    expect([0, 50, 100].map((p) => percentile([7], p))).toEqual([7, 7, 7]);
  });
});

describe("a histogram chart", () => {
  const series = [
    { name: "lost worker", values: Array.from({ length: 200 }, (_, i) => 0.4 + ((i * 7919) % 200) / 50) },
    { name: `<late> & "slow"`, values: [1, 2, 30] },
    { name: "dead coordinator", values: [] },
  ];
  const chart = histogramChart(series, { title: "Recoveries < 1 min", unit: "s" });

  it("is well-formed, with every text escaped", () => {
    expect(unbalanced(chart)).toBeNull();
    expect(chart).toContain("&#60;late&#62; &#38; &#34;slow&#34;");
    expect(chart).toContain("Recoveries &#60; 1 min");
  });

  it("has one row a series: its name, how many, its percentiles; none where there is nothing", () => {
    const rows = chart.match(/<g class="series">.*<\/g>/g)!;
    expect(rows).toHaveLength(3);
    expect(rows.map(textOf)).toEqual([
      expect.stringMatching(/lost worker .*n 200 · p50 2\.38 s · p95 4\.18 s · max 4\.38 s/),
      expect.stringMatching(/late.* n 3 · p50 2 s · p95 30 s · max 30 s/),
      "dead coordinator none",
    ]);
    expect(rows[1]!.match(/<rect /g)).toHaveLength(3);
    expect(rows[2]).not.toContain("<rect");
  });

  it("cuts a name that has no room beside the numbers", () => {
    const svg = histogramChart([{ name: "&".repeat(200), values: [1] }], { title: "t", unit: "milliseconds" });
    const shown = svg.match(/&#38;/g)!.length;
    expect(svg).toContain("&#38;…<");
    expect(shown).toBeGreaterThan(10);
    expect(shown).toBeLessThan(50);
  });

  it("has ticks at 1, 2 and 5 a decade, around all values", () => {
    expect(ticksOf(chart)).toEqual([0.2, 0.5, 1, 2, 5, 10, 20, 50]);
  });

  it("has a linear axis from zero when asked", () => {
    expect(ticksOf(histogramChart(series, { title: "t", unit: "s", log: false }))).toEqual([0, 5, 10, 15, 20, 25, 30]);
  });

  it("is a picture of finite numbers and few ticks whatever the values are", async () => {
    const odd = fc.constantFrom(0, Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY);
    const power = fc.double({ min: -12, max: 15, noNaN: true }).map((exponent) => 10 ** exponent);
    const values = fc.array(
      fc.oneof(
        odd,
        power,
        power.map((value) => -value),
      ),
      { maxLength: 30 },
    );
    fc.assert(
      fc.property(fc.array(fc.record({ name: fc.string(), values }), { maxLength: 4 }), fc.boolean(), (any, log) => {
        const svg = histogramChart(any, { title: "t", unit: "s", log });
        expect(unbalanced(svg)).toBeNull();
        expect(svg.match(/="[^"]*(NaN|Infinity)/)).toBeNull();
        expect(ticksOf(svg).length).toBeLessThanOrEqual(19);
      }),
      { numRuns: 200 },
    );
    const { width, height } = await sharp(Buffer.from(histogramChart([], { title: "t", unit: "s" }))).metadata();
    expect([width, height]).toEqual([860, 188]);
  });
});

const textOf = (svg: string) =>
  svg
    .replace(/<\/text>/g, " ")
    .replace(/<[^>]*>/g, "")
    .trim();

const ticksOf = (svg: string) =>
  [...svg.matchAll(/<text class="tick" [^>]*>([^<]*)</g)].map(([, tick]) => Number(tick));

/** The first tag, attribute or character that no reader of XML would accept; null when there is none. */
function unbalanced(xml: string): string | null {
  const open: string[] = [];
  const rest = xml.replace(
    /<(\/?)([a-z]+)((?: [\w:-]+="[^"<&]*")*)(\/?)>/gi,
    (_tag, close, name, _attributes, self) => {
      if (close) {
        if (open.pop() !== name) open.push(`</${name}>`);
      } else if (!self) open.push(name);
      return "";
    },
  );
  return open[0] ?? /[<>]|&(?!#\d+;)/.exec(rest)?.[0] ?? null;
}
