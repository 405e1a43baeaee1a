// The rules and alerts of deploy/prometheus, by Prometheus' own tool.

import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { parse, stringify } from "yaml";
import { scratchFolder } from "../support/plume.ts";
import { promtool } from "../support/prometheus-server.ts";

const folder = fileURLToPath(new URL("../../deploy/prometheus/", import.meta.url));

interface AlertTest {
  readonly alertname: string;
  readonly exp_alerts?: readonly unknown[];
}

interface Rules {
  groups: { rules: { alert?: string; expr: string; annotations?: Record<string, string> }[] }[];
}

const read = (name: string): string => readFileSync(`${folder}${name}`, "utf8");
const alerts = () => parse(read("alerts.yml")) as Rules;
const names = alerts().groups.flatMap(({ rules }) => rules.map(({ alert }) => alert!));

/** Runs alerts.test.yml on these alerts, less their annotations. */
function testAlerts(rules: Rules): string {
  using scratch = scratchFolder();
  for (const { rules: all } of rules.groups) for (const rule of all) delete rule.annotations;
  writeFileSync(scratch.file("alerts.yml"), stringify(rules));
  for (const name of ["recording.yml", "alerts.test.yml"]) writeFileSync(scratch.file(name), read(name));
  return promtool("test", "rules", scratch.file("alerts.test.yml"));
}

/** Always, as if there were no coordinator; and a label that the tests do not know, so that both ways are found. */
const NOT_SCRAPED = 'label_replace(vector(1), "component", "spoilt", "", "")';

function failureOf(act: () => unknown): string {
  try {
    act();
  } catch (error) {
    return String(error);
  }
  return "";
}

describe("the rules for Prometheus", () => {
  it("are read by it, and so is its configuration", () => {
    expect(promtool("check", "config", `${folder}prometheus.yml`)).toContain("SUCCESS");
    expect(promtool("check", "rules", `${folder}recording.yml`, `${folder}alerts.yml`)).toContain(
      `SUCCESS: ${names.length} rules found`,
    );
  });

  it("fire on one side of each threshold and not on the other", () => {
    const { tests } = parse(read("alerts.test.yml")) as { tests: { alert_rule_test: AlertTest[] }[] };
    const cases = tests.flatMap(({ alert_rule_test }) => alert_rule_test);
    const fires = new Set(cases.filter(({ exp_alerts }) => exp_alerts?.length).map(({ alertname }) => alertname));
    expect([...fires].sort()).toEqual([...names].sort());
    expect(testAlerts(alerts())).toContain("SUCCESS");
  });

  it.each([
    ["never fire", (expr: string) => `(${expr}) and on () vector(0) == 1`],
    // With `bool` a comparison lets everything through.
    ["fire on both sides", (expr: string) => expr.replace(/ (==|>=|!=|>|<) /, " $1 bool ")],
  ])("are tested by what finds that they %s", (_, spoil) => {
    const spoilt = alerts();
    for (const { rules } of spoilt.groups)
      for (const rule of rules) rule.expr = rule.alert === "PlumeNotScraped" ? NOT_SCRAPED : spoil(rule.expr);
    const said = failureOf(() => testAlerts(spoilt));
    for (const name of names) expect(said, name).toContain(`alertname: ${name},`);
  });

  it("say of each alert what it means and what to do", () => {
    for (const { rules } of alerts().groups)
      for (const { alert, annotations } of rules)
        expect(Object.keys(annotations ?? {}), alert).toEqual(["summary", "description"]);
  });
});
